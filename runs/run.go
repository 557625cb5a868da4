package runs

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

// Run is a run on disk. It is safe for concurrent use.
type Run struct {
	dir      string
	db       *sql.DB
	manifest Manifest
	readOnly bool
	lock     *flock.Flock // nil when readOnly
	copied   string       // what Read had to copy, to be removed

	statements

	mu     sync.Mutex // one writer at a time: packer, log, closed, files
	packer packer
	log    *os.File
	closed bool
}

// Dir is the run's directory, as it was given.
func (r *Run) Dir() string { return r.dir }

// Manifest is what was fixed when the run began.
func (r *Run) Manifest() Manifest { return r.manifest }

// Close lets go of the run. The log is on disk then; the database always is.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.closeLog()
	if !r.readOnly {
		fold(r.db)
	}
	err = errors.Join(err, r.db.Close())
	if r.lock != nil {
		err = errors.Join(err, release(r.lock))
	}
	if r.copied != "" {
		err = errors.Join(err, os.RemoveAll(r.copied))
	}
	if err != nil {
		return r.err(err)
	}
	return nil
}

// load reads what every opened run needs.
func (r *Run) load() error {
	if err := r.statements.prepare(r.db); err != nil {
		return err
	}
	var manifest, recipe []byte
	var sum uint32
	row := r.db.QueryRow("SELECT manifest, recipe, sum FROM run WHERE id = 1")
	switch err := row.Scan(&manifest, &recipe, &sum); {
	case errors.Is(err, sql.ErrNoRows):
		return damaged("it has no manifest")
	case err != nil && code(err) == 0:
		return damaged("manifest: %v", err)
	case err != nil:
		return err
	}
	var err error
	r.manifest, err = decodeManifest(manifest, recipe, sum)
	return err
}

// writable is asked with mu held.
func (r *Run) writable() error {
	switch {
	case r.readOnly:
		return ErrReadOnly
	case r.closed:
		return fmt.Errorf("the run is closed: %w", os.ErrClosed)
	}
	return nil
}

func (r *Run) path() string { return filepath.Join(r.dir, dbName) }

// err names the run.
func (r *Run) err(err error) error { return fmt.Errorf("%s: %w", r.dir, explain(err)) }
