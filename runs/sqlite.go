package runs

import (
	"cmp"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"
)

// dbName is the database in a run's directory.
const dbName = "run.db"

// wanted is the journal mode we try first; tests set another.
var wanted = "wal"

// connect opens the database at path with one connection. mode is SQLite's: ro,
// rw, rwc. A file which strangers share gets no trust: its schema may not call
// functions with side effects.
func connect(path, mode string, more ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{
		"mode":          {mode},
		"_busy_timeout": {"10000"},
		"_foreign_keys": {"on"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_defensive":    {"true"},
		"_error_rc":     {"true"},
		"_pragma":       {"trusted_schema(0)", "cell_size_check(1)"},
	}
	for _, key := range more {
		q.Set(key, "1")
	}
	// SQLite takes + for itself, so a space must not become one.
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.Ping(); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// check refuses what is not a run, or not one for this program.
func check(db *sql.DB) error {
	var app, format int64
	if err := db.QueryRow("PRAGMA application_id").Scan(&app); err != nil {
		return err
	}
	if err := db.QueryRow("PRAGMA user_version").Scan(&format); err != nil {
		return err
	}
	switch {
	case app == 0 && format == 0:
		return damaged("%s is empty", dbName)
	case app != application:
		return fmt.Errorf("%w: %s is a database of another program", ErrNotRun, dbName)
	case format > Format:
		return fmt.Errorf("%w: its format is %d, this one reads up to %d; use the program that made it", ErrFormat, format, Format)
	case format < 1:
		return damaged("format %d", format)
	}
	return nil
}

// verify walks the whole file once, as a run which is continued should not meet
// damage hours later.
func verify(db *sql.DB) error {
	var verdict string
	if err := db.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return damaged("%s", verdict)
	}
	return nil
}

// journal turns the write-ahead log on, or, where there can be none because
// memory cannot be shared, as on network file systems, the rollback journal.
func journal(db *sql.DB) error {
	var mode string
	err := db.QueryRow("PRAGMA journal_mode=" + wanted).Scan(&mode)
	if err == nil && mode == wanted {
		return nil
	}
	if code(err) == sqlite3.SQLITE_BUSY {
		return err
	}
	first := err
	err = db.QueryRow("PRAGMA journal_mode=DELETE").Scan(&mode)
	if err == nil && mode != "delete" {
		err = fmt.Errorf("no journal can be kept: the mode is %q", mode)
	}
	if err != nil {
		return cmp.Or(first, err)
	}
	return nil
}

// fold leaves one file, which read-only disks and other machines can read.
// Whoever is looking at the run just now prevents it, which does no harm: the
// log is read with the file.
func fold(db *sql.DB) {
	_, _ = db.Exec("PRAGMA busy_timeout=0")
	_, _ = db.Exec("PRAGMA journal_mode=DELETE")
}
