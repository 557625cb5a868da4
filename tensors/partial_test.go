package tensors_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
)

// Finished work that cannot be continued is refused, and stays to the last byte;
// Restart discards it.
func TestPartialRefuses(t *testing.T) {
	want := uninterrupted(t)
	for _, test := range []struct {
		name   string
		change func(journal []byte) []byte
		o      tensors.Options
		err    string
	}{
		{"another identity", nil, tensors.Options{ShardSize: 40, Identity: "b"}, "holds 3 finished shards ("},
		{"another shard size", nil, tensors.Options{ShardSize: 50, Identity: "recipe"}, "of the same merge with other tensors, metadata or shard size, begun 20"},
		{"journal empty", func([]byte) []byte { return nil }, continued, "no first line"},
		{"journal nonsense", func(b []byte) []byte { return []byte("nonsense\n") }, continued, "line 1"},
		{"journal damaged", func(b []byte) []byte { return append(b, "nonsense\n"...) }, continued, "line 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			interrupted(t, out)
			journal := filepath.Join(out+".partial", "journal")
			if test.change != nil {
				raw, err := os.ReadFile(journal)
				if err != nil {
					t.Fatal(err)
				}
				put(t, out+".partial", "journal", test.change(raw))
			}
			was := contents(t, out+".partial")
			_, err := tensors.Create(out, model, test.o)
			if !errors.Is(err, tensors.ErrPartial) || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), out+".partial") {
				t.Errorf("error %v; want %q", err, test.err)
			}
			if d := cmp.Diff(was, contents(t, out+".partial")); d != "" {
				t.Errorf("touched (-want +got):\n%s", d)
			}
			o := continued
			o.Restart = true
			w, err := tensors.Create(out, model, o)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if n, _ := w.Finished(); n != 0 || w.Done(model[0].Name) {
				t.Errorf("a restart keeps %d shards", n)
			}
			if err := fill(w); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, contents(t, out)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// What is there under the name but is not ours is never removed, nor added to.
func TestPartialNotOurs(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, name := range []string{"out.partial", "out.partial/notes.txt", "out.partial/model/weights"} {
			top := t.TempDir()
			put(t, top, name, []byte("theirs"))
			was := contents(t, top)
			o := continued
			o.Restart = restart
			_, err := tensors.Create(filepath.Join(top, "out"), model, o)
			if err == nil || !strings.Contains(err.Error(), "is in the way") {
				t.Errorf("%s: %v", name, err)
			}
			if d := cmp.Diff(was, contents(t, top)); d != "" {
				t.Errorf("%s: touched (-want +got):\n%s", name, d)
			}
		}
	}
}

// Shards that are not as they were finished are written again; a journal whose last
// line was cut keeps the others, and those that come after.
func TestPartialDoubts(t *testing.T) {
	want := uninterrupted(t)
	const first = "model/model-00001-of-00004.safetensors"
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		kept   int
	}{
		{"nothing", func(*testing.T, string) {}, 3},
		{"a byte shorter", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, first), int64(len(want[filepath.Base(first)]))-1); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a byte longer", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, first), int64(len(want[filepath.Base(first)]))+1); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"another header", func(t *testing.T, dir string) {
			path := filepath.Join(dir, first)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw[20] ^= 1
			put(t, dir, first, raw)
		}, 2},
		{"gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, first)); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"a link", func(t *testing.T, dir string) {
			// To the same bytes, and itself as long as the file.
			path, to := filepath.Join(dir, first), filepath.Join(t.TempDir(), "moved")
			info, err := os.Stat(path)
			if err != nil || int(info.Size()) < len(to) {
				t.Fatal(info.Size(), len(to), err)
			}
			long := filepath.Dir(to) + strings.Repeat("/", 1+int(info.Size())-len(to)) + filepath.Base(to)
			if err := errors.Join(os.Rename(path, to), os.Symlink(long, path)); err != nil {
				t.Fatal(err)
			}
		}, 2},
		{"unfinished files", func(t *testing.T, dir string) {
			put(t, dir, "model/model-00004-of-00004.safetensors", []byte("begun"))
			put(t, dir, "model/config.json", []byte("old"))
			put(t, dir, "journal.new", []byte("begun"))
		}, 3},
		{"last line cut", func(t *testing.T, dir string) {
			raw, err := os.ReadFile(filepath.Join(dir, "journal"))
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, "journal", raw[:len(raw)-5])
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			interrupted(t, out)
			test.change(t, out+".partial")
			// Twice, so that what the first wrote into the journal is read.
			for _, kept := range []int{test.kept, 3} {
				w, err := tensors.Create(out, model, continued)
				if err != nil {
					t.Fatal(err)
				}
				if n, _ := w.Finished(); n != kept {
					t.Errorf("%d shards kept, want %d", n, kept)
				}
				for _, info := range model[:len(model)-1] {
					err := w.WriteBytes(info.Name, 0, stored(info))
					if w.Done(info.Name) && info.Len() > 0 {
						if err == nil || !strings.Contains(err.Error(), "was kept") {
							t.Errorf("writing what is kept: %v", err)
						}
					} else if err != nil {
						t.Error(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			}
			again(t, out, want)
		})
	}
}

// Another identity may take over what holds nothing finished.
func TestPartialNothingFinished(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	put(t, out+".partial", "journal", []byte(journalHead))
	put(t, out+".partial", "model/model-00001-of-00004.safetensors", []byte("begun"))
	again(t, out, uninterrupted(t))
}

// A second process is told who is writing, and changes nothing. One that is killed
// holds nothing.
func TestBusy(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	cmd := child(t, "hold", out)
	in, _ := cmd.StdinPipe()
	defer in.Close()
	pipe, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "begun\n" {
		t.Fatal(line, err)
	}
	was := contents(t, out+".partial")
	for _, restart := range []bool{false, true} {
		o := continued
		o.Restart = restart
		_, err := tensors.Create(out, model, o)
		if !errors.Is(err, tensors.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("(process %d on ", cmd.Process.Pid)) {
			t.Errorf("restart %v: %v", restart, err)
		}
	}
	if d := cmp.Diff(was, contents(t, out+".partial")); d != "" {
		t.Errorf("touched (-want +got):\n%s", d)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	w, err := tensors.Create(out, model, continued)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := tensors.Create(out, model, continued); !errors.Is(err, tensors.ErrBusy) {
		t.Errorf("within the process: %v", err)
	}
}

// A lock on a file that its last owner has removed since we opened it is worth nothing.
func TestLockRemoved(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	times := 0
	o := continued
	o.Fault = func(op, _ string) error {
		if op == "after lock" {
			if times++; times == 1 {
				return os.RemoveAll(out + ".partial")
			}
		}
		return nil
	}
	w, err := tensors.Create(out, model, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if times != 2 {
		t.Errorf("locked %d times", times)
	}
	if _, err := tensors.Create(out, model, continued); !errors.Is(err, tensors.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
}
