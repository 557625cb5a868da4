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

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	put(t, full, "x", nil)
	link := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip(err)
	}
	tiny := []tensors.Info{{Name: "t", DType: tensors.U8, Shape: []int{1}}}
	named := func(name string, shape ...int) []tensors.Info {
		return []tensors.Info{{Name: name, DType: tensors.F32, Shape: shape}}
	}
	for _, test := range []struct {
		name   string
		dir    string
		layout []tensors.Info
		o      tensors.Options
		want   string
		is     error
	}{
		{"folder exists", full, tiny, tensors.Options{}, "output exists: " + full + "; remove it or choose another", tensors.ErrExists},
		{"file in place of folder", filepath.Join(full, "x"), tiny, tensors.Options{}, "output exists", tensors.ErrExists},
		{"file exists", "", tiny, tensors.Options{Single: filepath.Join(full, "x")}, "output exists", tensors.ErrExists},
		{"folder in place of file", "", tiny, tensors.Options{Single: full}, "output exists", tensors.ErrExists},
		{"dangling link", link, tiny, tensors.Options{}, "output exists", tensors.ErrExists},
		{"parent is a file", filepath.Join(full, "x", "y"), tiny, tensors.Options{}, "not a directory", nil},
		{"no name", "", tiny, tensors.Options{}, "no name", nil},
		{"folder and file", dir, tiny, tensors.Options{Single: filepath.Join(dir, "y")}, "neither a folder nor shards", nil},
		{"negative shard", filepath.Join(dir, "y"), tiny, tensors.Options{ShardSize: -1}, "negative", nil},
		{"twice", filepath.Join(dir, "y"), append(tiny, tiny...), tensors.Options{}, `tensor "t": twice in the layout`, nil},
		{"nameless", filepath.Join(dir, "y"), named("", 1), tensors.Options{}, "not a name", nil},
		{"reserved", filepath.Join(dir, "y"), named("__metadata__", 1), tensors.Options{}, "not a name", nil},
		{"not utf-8", filepath.Join(dir, "y"), named("\xff", 1), tensors.Options{}, "UTF-8", nil},
		{"negative", filepath.Join(dir, "y"), named("t", -1), tensors.Options{}, "negative dimension", nil},
		{"overflow", filepath.Join(dir, "y"), named("t", 1<<40, 1<<40), tensors.Options{}, "too large", nil},
		{"no dtype", filepath.Join(dir, "y"), []tensors.Info{{Name: "t"}}, tensors.Options{}, "unknown dtype", nil},
		{"no space", filepath.Join(dir, "new", "y"), named("t", 1<<50), tensors.Options{}, "takes 4503599627370", tensors.ErrNoSpace},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := tensors.Create(test.dir, test.layout, test.o)
			if err == nil {
				w.Close()
				t.Fatal("created")
			}
			if w != nil {
				t.Error("a writer with an error")
			}
			if !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %v; want %q", err, test.want)
			}
			if d := cmp.Diff([]string{"dangling", "full"}, names(t, dir)); d != "" {
				t.Errorf("left behind (-want +got):\n%s", d)
			}
		})
	}
}

func TestCreateInEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Skip(err)
	}
	write(t, link, model, tensors.Options{})
	if got := len(open(t, real).Tensors()); got != len(model) {
		t.Errorf("%d tensors", got)
	}
	if d := cmp.Diff([]string{"link", "real"}, names(t, dir)); d != "" {
		t.Errorf("left behind (-want +got):\n%s", d)
	}
}

// What somebody else puts there while we write stays.
func TestCommitMeetsAnother(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprint("single ", single), func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			o, folder := tensors.Options{}, out
			if single {
				o.Single, folder = out, ""
			}
			w, err := tensors.Create(folder, nil, o)
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, "out", []byte("theirs"))
			if err := w.Commit(); !errors.Is(err, tensors.ErrExists) {
				t.Errorf("Commit: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if got, _ := os.ReadFile(out); string(got) != "theirs" {
				t.Errorf("their file holds %q", got)
			}
			if d := cmp.Diff([]string{"out"}, names(t, dir)); d != "" {
				t.Errorf("left behind (-want +got):\n%s", d)
			}
		})
	}
}
