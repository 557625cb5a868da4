package runs

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Returned, wrapped with the directory, by Create, Open and Read.
var (
	// ErrNotEmpty is returned by Create for a directory with something in it.
	ErrNotEmpty = errors.New("the directory is not empty")

	// ErrNotRun is returned when there is no run in the directory.
	ErrNotRun = errors.New("not a run")

	// ErrLocked is returned when another process holds the run; the message
	// names it.
	ErrLocked = errors.New("the run is in use")

	// ErrFormat is returned for runs of a newer program; the message has their
	// format.
	ErrFormat = errors.New("the run was made by a newer program")
)

// Returned by anything which reads or writes a run.
var (
	// ErrDamaged is returned when what is stored cannot be what was written.
	ErrDamaged = errors.New("the run is damaged")

	// ErrReadOnly is returned for changing what Read opened.
	ErrReadOnly = errors.New("the run was opened to look at; open it with Open to change it")

	// ErrTrajectory is returned by Append for candidates which are not what was
	// stored under their IDs, or not what comes next.
	ErrTrajectory = errors.New("the run is not continuing the same trajectory")
)

// damaged says what is wrong with the file.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// code is SQLite's primary error code, 0 for errors of others.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain puts SQLite's error into our words where we have some.
func explain(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full; free some space and resume: %w", err)
	}
	return err
}
