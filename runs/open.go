package runs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"
)

// Open takes a run up again, to continue it, and holds its lock until Close.
func Open(dir string) (*Run, error) {
	r, err := func() (*Run, error) {
		if err := there(dir); err != nil {
			return nil, err
		}
		lock, err := acquire(dir)
		if err != nil {
			return nil, err
		}
		r, err := openLocked(dir, lock)
		if err != nil {
			_ = release(lock)
		}
		return r, err
	}()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, explain(err))
	}
	return r, nil
}

// Read opens a run to look at it: without its lock, while another process writes,
// on a disk which cannot be written.
func Read(dir string) (*Run, error) {
	r, err := func() (*Run, error) {
		if err := there(dir); err != nil {
			return nil, err
		}
		r, err := look(dir, filepath.Join(dir, dbName), "ro")
		if !blocked(err) {
			return r, err
		}
		// SQLite needs to write to read, and cannot: it may look at the file alone
		// when that is all there is, and at a copy when there is an unfinished
		// journal.
		if !journalled(dir) {
			return look(dir, filepath.Join(dir, dbName), "ro", "immutable")
		}
		return readCopy(dir)
	}()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, explain(err))
	}
	return r, nil
}

func look(dir, path, mode string, more ...string) (*Run, error) {
	db, err := connect(path, mode, more...)
	if err != nil {
		return nil, err
	}
	r := &Run{dir: dir, db: db, readOnly: true}
	if err = check(db); err == nil {
		err = r.load()
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return r, nil
}

// blocked tells errors which come from where the file is, not from what is in it.
func blocked(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM:
		return true
	}
	return false
}

// journals are the files which belong to an unfinished database.
var journals = []string{dbName + "-wal", dbName + "-journal"}

func journalled(dir string) bool {
	for _, name := range journals {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

func readCopy(dir string) (_ *Run, err error) {
	temp, err := os.MkdirTemp("", "mergevo-run-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temp)
		}
	}()
	for _, name := range append([]string{dbName}, journals...) {
		if err := copyFile(filepath.Join(temp, name), filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	r, err := look(dir, filepath.Join(temp, dbName), "rw", "_query_only")
	if err != nil {
		return nil, err
	}
	r.copied = temp
	return r, nil
}

// copyFile copies from if it exists.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// there says kindly what dir is when it is no run.
func there(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no such directory", ErrNotRun)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%w: it is a file; name the directory of the run", ErrNotRun)
	}
	info, err = os.Stat(filepath.Join(dir, dbName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := empty(dir); err == nil {
			return fmt.Errorf("%w: the directory is empty; a search has not begun there", ErrNotRun)
		}
		return fmt.Errorf("%w: the directory has no %s", ErrNotRun, dbName)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a file", ErrNotRun, dbName)
	}
	return nil
}
