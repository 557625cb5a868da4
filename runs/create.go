package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// partial is the database while Create makes it.
const partial = dbName + ".partial"

// Create begins a run in dir, which it makes; one which exists must be empty.
// Killed at any moment it leaves no run.db, and may be repeated, or an empty run,
// which Open takes.
func Create(dir string, m Manifest) (*Run, error) {
	r, err := create(dir, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, explain(err))
	}
	return r, nil
}

func create(dir string, m Manifest) (*Run, error) {
	if m.Format != 0 && m.Format != Format {
		return nil, fmt.Errorf("a run of format %d cannot be made, only of %d", m.Format, Format)
	}
	m.Format = Format
	if m.Created.IsZero() {
		m.Created = time.Now()
	}
	m.Created = m.Created.UTC().Round(0)

	if err := durable("create", dir, func() error { return os.MkdirAll(dir, 0o755) }); err != nil {
		return nil, err
	}
	if err := empty(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	begun := false
	defer func() {
		if !begun {
			_ = release(lock)
		}
	}()
	if err := empty(dir); err != nil { // again: somebody may have been quicker
		return nil, err
	}
	if err := begin(dir, m); err != nil {
		return nil, err
	}
	r, err := openLocked(dir, lock)
	begun = err == nil
	return r, err
}

// empty allows for what an interrupted Create leaves.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == dbName:
			return fmt.Errorf("%w: it holds a run; resume that or choose another directory", ErrNotEmpty)
		case name != lockName && !strings.HasPrefix(name, partial):
			return fmt.Errorf("%w: it holds %s; choose another", ErrNotEmpty, name)
		}
	}
	return nil
}

// begin makes the database under another name, so that run.db is whole from its
// first moment.
func begin(dir string, m Manifest) error {
	manifest, recipe, err := m.encode()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	temp := filepath.Join(dir, partial)
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err = durable("write", temp, func() error {
		db, err := connect(temp, "rwc")
		if err != nil {
			return err
		}
		_, err = db.Exec(fmt.Sprintf(`
			PRAGMA journal_mode = MEMORY;
			PRAGMA application_id = %d;
			PRAGMA user_version = %d;
			BEGIN; %s; COMMIT;`, application, Format, schema))
		if err == nil {
			_, err = db.Exec("INSERT INTO run (id, manifest, recipe, sum) VALUES (1, ?, ?, ?)",
				string(manifest), string(recipe), checksum(manifest, recipe))
		}
		return errors.Join(err, db.Close())
	})
	if err == nil {
		err = durable("fsync", temp, func() error { return syncFile(temp) })
	}
	if err == nil {
		err = moveTo(filepath.Join(dir, dbName), temp)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(filepath.Clean(dir)))
	}
	return err
}

// openLocked opens for writing; the lock is the caller's if it fails.
func openLocked(dir string, lock *flock.Flock) (_ *Run, err error) {
	r := &Run{dir: dir, lock: lock}
	if r.db, err = connect(r.path(), "rw"); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return check(r.db) },
		func() error { return verify(r.db) },
		func() error { return journal(r.db) },
		r.load,
		func() error { return mendLog(dir) },
	} {
		if err := step(); err != nil {
			r.db.Close()
			return nil, err
		}
	}
	return r, nil
}
