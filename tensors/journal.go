package tensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrBusy is wrapped by Create where another process is writing the same output.
var ErrBusy = errors.New("another process is writing it")

// journal lets a folder that was not finished be continued: it lies beside the
// work folder and names the files in it that are whole. It is also the lock by which
// one process at a time writes them.
type journal struct {
	path string
	lock *flock.Flock
	file *os.File
}

// beginning is the journal's first line.
type beginning struct {
	Identity string    `json:"identity"` // the caller's, of what is written
	Layout   string    `json:"layout"`   // of the files' headers
	Began    time.Time `json:"began"`
}

// finished is each other line: a file that is on the disk, whole.
type finished struct {
	File string `json:"file"`
}

// continueWork takes the lock, and either begins the work folder or finds in it the
// files that are whole already.
func (w *Writer) continueWork(identity string) error {
	t := w.target
	t.work = t.final + ".partial"
	j := &journal{path: t.work + ".journal"}
	j.lock = flock.New(j.path, flock.SetPermissions(0o644))
	locked, err := j.lock.TryLock()
	switch {
	case err != nil:
		return explain("lock", j.path, err)
	case !locked:
		return fmt.Errorf("output %s: %w; wait for it, or choose another folder", t.asked, ErrBusy)
	}
	fresh, err := w.begins(j, identity)
	if err != nil {
		// What is there is not ours to touch.
		return errors.Join(err, j.end(fresh))
	}
	w.journal = j
	return nil
}

// begins begins the work folder's journal, or takes over from the one that is there;
// fresh says which.
func (w *Writer) begins(j *journal, identity string) (fresh bool, err error) {
	t := w.target
	begin := beginning{Identity: identity, Layout: w.layoutDigest(), Began: time.Now().UTC()}
	_, err = os.Lstat(t.work)
	if errors.Is(err, fs.ErrNotExist) {
		return true, j.start(w.disk, begin)
	}
	if err != nil {
		return false, fmt.Errorf("output %s: %w", t.asked, err)
	}
	was, done, err := j.read()
	switch {
	case err != nil:
		return false, fmt.Errorf("output %s: %s is in the way and cannot be continued: %w; remove it to begin anew", t.asked, t.work, err)
	case was.Identity != begin.Identity || was.Layout != begin.Layout:
		return false, fmt.Errorf("output %s: %s holds the beginning of another merge, from %s, %d files of it finished; repeat the command that began it, or remove the folder to begin anew",
			t.asked, t.work, was.Began.Local().Format(time.DateTime), len(done))
	}
	if j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return false, explain("open", j.path, err)
	}
	if err := w.keep(done); err != nil {
		return false, err
	}
	t.begun = true
	return false, nil
}

// keep marks the files that are whole as done, and removes whatever else there is.
func (w *Writer) keep(done map[string]bool) error {
	entries, err := os.ReadDir(w.target.work)
	if err != nil {
		return fmt.Errorf("output %s: %w", w.target.asked, err)
	}
	byName := map[string]*outFile{}
	for _, f := range w.files {
		byName[f.name] = f
	}
	for _, e := range entries {
		path := filepath.Join(w.target.work, e.Name())
		f := byName[e.Name()]
		info, err := e.Info()
		if f != nil && done[e.Name()] && err == nil && info.Mode().IsRegular() && info.Size() == int64(len(f.header))+f.data {
			f.out.done, f.out.made, f.kept, f.pending = true, true, true, 0
			for _, s := range f.slots {
				s.written.add(0, s.bytes)
			}
			w.kept += f.data
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("output %s: clearing what was not finished: %w", w.target.asked, err)
		}
	}
	return nil
}

// layoutDigest tells layouts apart, by all headers.
func (w *Writer) layoutDigest() string {
	h := sha256.New()
	for _, f := range w.files {
		fmt.Fprintf(h, "%q %d\n", f.name, len(f.header))
		h.Write(f.header)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// start begins a journal; what an old one says of a folder that is gone is dropped.
func (j *journal) start(d disk, b beginning) error {
	line, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return d.step("write", j.path, func() (err error) {
		if j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_TRUNC, 0o644); err != nil {
			return err
		}
		if _, err = j.file.Write(append(line, '\n')); err != nil {
			return err
		}
		return j.file.Sync()
	})
}

// read returns the journal's first line, and the names of the files that are whole.
// A last line that was cut says nothing.
func (j *journal) read() (b beginning, done map[string]bool, err error) {
	data, err := os.ReadFile(j.path)
	if err != nil {
		return b, nil, err
	}
	done = map[string]bool{}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for i, line := range lines {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var f finished
		switch {
		case i == 0:
			if err := json.Unmarshal(line, &b); err != nil || b.Layout == "" {
				return b, nil, fmt.Errorf("%s is not a journal", j.path)
			}
		case json.Unmarshal(line, &f) == nil:
			done[f.File] = true
		}
	}
	if b.Layout == "" {
		return b, nil, fmt.Errorf("%s is empty", j.path)
	}
	return b, done, nil
}

// add notes that a file is on the disk, whole.
func (j *journal) add(d disk, name string) error {
	line, err := json.Marshal(finished{name})
	if err != nil {
		return err
	}
	return d.step("write", j.path, func() error {
		if _, err := j.file.Write(append(line, '\n')); err != nil {
			return err
		}
		return j.file.Sync()
	})
}

// end lets the lock go; gone says that the journal has nothing left to tell.
func (j *journal) end(gone bool) error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	if gone {
		errs = append(errs, os.Remove(j.path))
	}
	return errors.Join(append(errs, j.lock.Unlock())...)
}

// Done reports whether a tensor was found written, by the process that began the
// output: it is not to be written again.
func (w *Writer) Done(name string) bool {
	s, ok := w.where[name]
	return ok && s.file.kept
}

// Kept returns the bytes of tensors that were found written.
func (w *Writer) Kept() int64 { return w.kept }
