package tensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ErrExists is wrapped by Create, and by Commit when it happened meanwhile,
// where there is already something under the name of the output.
var ErrExists = errors.New("output exists")

// ErrNoSpace is wrapped by Create where the disk cannot hold what is still to be
// written of the output, and by any step that fills the disk.
var ErrNoSpace = errors.New("not enough disk space")

// target is a final name, and the temporary one beside it that becomes it.
type target struct {
	asked  string // as the caller spelt it, for messages
	final  string
	work   string
	folder bool
	begun  bool     // work is a folder that we made
	empty  bool     // final is an existing empty folder
	made   []string // parents we made, innermost first
}

// newTarget checks that the output may come to be, and makes missing parents.
func newTarget(asked string, folder bool) (*target, error) {
	final, err := filepath.Abs(asked)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", asked, err)
	}
	if folder {
		// A link to an empty folder: fill what it points to.
		if real, err := filepath.EvalSymlinks(final); err == nil {
			final = real
		}
	}
	t := &target{asked: asked, final: final, folder: folder}
	if t.empty, err = t.free(); err != nil {
		return nil, err
	}
	parent := filepath.Dir(final)
	if err := t.makeParents(parent); err != nil {
		t.unmake()
		return nil, fmt.Errorf("cannot make the folder of output %s: %w; choose another", asked, err)
	}
	if t.empty && !sameDevice(parent, final) {
		return nil, fmt.Errorf("output %s is a mount point and cannot appear in one step; choose a folder inside it", asked)
	}
	t.work = fmt.Sprintf("%s.partial-%08x", final, rand.Uint32())
	return t, nil
}

// free reports, as an error, that the name is taken. An empty folder is not.
func (t *target) free() (empty bool, err error) {
	taken := fmt.Errorf("%w: %s; remove it or choose another", ErrExists, t.asked)
	info, err := os.Lstat(t.final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("output %s: %w", t.asked, err)
	case !t.folder || !info.IsDir():
		return false, taken
	}
	d, err := os.Open(t.final)
	if err != nil {
		return false, fmt.Errorf("output %s: %w", t.asked, err)
	}
	defer d.Close()
	if names, _ := d.Readdirnames(1); len(names) > 0 {
		return false, taken
	}
	return true, nil
}

func (t *target) makeParents(dir string) error {
	var missing []string
	for {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || up == dir {
			return err
		}
		missing = append(missing, dir)
		dir = up
	}
	for i := len(missing) - 1; i >= 0; i-- {
		err := os.Mkdir(missing[i], 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue // someone else was faster: theirs to remove
		}
		if err != nil {
			return err
		}
		t.made = append([]string{missing[i]}, t.made...)
	}
	return nil
}

// unmake removes the parents we made, as far as nobody uses them.
func (t *target) unmake() {
	for _, dir := range t.made {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// room refuses an output that the disk cannot hold: need bytes are still to be written,
// besides those that are kept.
func (t *target) room(need, kept int64) error {
	dir := filepath.Dir(t.final)
	free, ok := freeBytes(dir)
	if !ok || uint64(need) <= free {
		return nil
	}
	verb := "takes"
	if kept > 0 {
		verb = "still takes"
	}
	return fmt.Errorf("%w: output %s %s %d bytes (%.1f GB) and %s has %d (%.1f GB) free; make room or choose another disk",
		ErrNoSpace, t.asked, verb, need, float64(need)/1e9, dir, free, float64(free)/1e9)
}
