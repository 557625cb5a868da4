package tensors_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
)

// contents reads a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range names(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(data)
	}
	return out
}

// Wherever the writing fails, or the process dies, doing it again gives the same
// bytes, and files that were whole are not written again.
func TestContinuesAtEveryStep(t *testing.T) {
	options := tensors.Options{ShardSize: 40, Identity: "recipe"}
	plain := filepath.Join(t.TempDir(), "out")
	if err := attempt(plain, options); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Dir(plain)); len(got) != 1 {
		t.Fatalf("left behind: %v", got)
	}
	want := contents(t, plain)
	if len(want) < 4 {
		t.Fatalf("only %d files", len(want))
	}
	errKilled := errors.New("killed")
	for _, dies := range []bool{false, true} {
		kept := 0
		for fail := 0; ; fail++ {
			out := filepath.Join(t.TempDir(), "out")
			steps, created := 0, false
			o := options
			o.Fault = func(string, string) error {
				if steps++; steps-1 == fail {
					if created {
						panic(errKilled) // nothing after this runs, Close neither
					}
					return errKilled
				}
				return nil
			}
			err := func() (err error) {
				defer func() {
					if r := recover(); r != nil {
						err = errKilled
					}
				}()
				return attemptOrDie(out, o, dies, &created)
			}()
			if err == nil {
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			whole := map[string]os.FileInfo{}
			for name := range want {
				if info, err := os.Stat(filepath.Join(out+".partial", name)); err == nil && strings.HasSuffix(name, ".safetensors") && info.Size() == int64(len(want[name])) {
					whole[name] = info
				}
			}
			o.Fault = nil
			w, err := tensors.Create(out, model, o)
			if err != nil {
				if _, statErr := os.Stat(out); statErr == nil {
					continue // it died after the output had appeared
				}
				t.Fatalf("step %d: %v", fail, err)
			}
			if w.Kept() > 0 {
				kept++
			}
			if err := errors.Join(fill(w), w.Close()); err != nil {
				t.Fatalf("step %d: %v", fail, err)
			}
			if d := cmp.Diff(want, contents(t, out)); d != "" {
				t.Fatalf("step %d (-want +got):\n%s", fail, d)
			}
			if got := names(t, filepath.Dir(out)); len(got) != 1 {
				t.Errorf("step %d: left behind: %v", fail, got)
			}
		}
		if kept == 0 {
			t.Error("nothing was ever kept")
		}
	}
}

// attemptOrDie is attempt; one that dies closes nothing.
func attemptOrDie(dir string, o tensors.Options, dies bool, created *bool) error {
	if !dies {
		return attempt(dir, o)
	}
	w, err := tensors.Create(dir, model, o)
	if err != nil {
		return err
	}
	*created = true
	defer w.Abandon()
	return fill(w)
}

func fill(w *tensors.Writer) error {
	for _, info := range model {
		if w.Done(info.Name) {
			continue
		}
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			return err
		}
	}
	if err := w.AddFile("config.json", []byte("{}")); err != nil {
		return err
	}
	return w.Commit()
}

// Another's beginning, a second process and a damaged journal are refused, and
// nothing of what is there is touched.
func TestContinueRefuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	begin := func(identity string) (*tensors.Writer, error) {
		return tensors.Create(out, model, tensors.Options{ShardSize: 40, Identity: identity})
	}
	w, err := begin("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin("a"); !errors.Is(err, tensors.ErrBusy) {
		t.Errorf("a second process: %v", err)
	}
	for _, info := range model[:len(model)-1] {
		if err := w.WriteBytes(info.Name, 0, stored(info)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	was := contents(t, out+".partial")
	if len(was) == 0 {
		t.Fatal("nothing was kept")
	}
	if _, err := begin("b"); err == nil || !strings.Contains(err.Error(), "the beginning of another merge") {
		t.Errorf("another identity: %v", err)
	}
	journal := out + ".partial.journal"
	data, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "nonsense\n", "{}\n"} {
		if err := os.WriteFile(journal, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := begin("a"); err == nil || !strings.Contains(err.Error(), "cannot be continued") {
			t.Errorf("journal %q: %v", bad, err)
		}
	}
	if d := cmp.Diff(was, contents(t, out+".partial")); d != "" {
		t.Errorf("touched (-want +got):\n%s", d)
	}
	// A file of another size is not trusted; a line cut short says nothing.
	if err := os.WriteFile(journal, append(data, `{"file":"mod`...), 0o644); err != nil {
		t.Fatal(err)
	}
	for name := range was {
		if err := os.Truncate(filepath.Join(out+".partial", name), 10); err != nil {
			t.Fatal(err)
		}
	}
	w, err = begin("a")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Kept() != 0 {
		t.Error(fmt.Sprint("kept ", w.Kept(), " bytes of files that were cut"))
	}
}
