package runs

import (
	"database/sql"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"
)

// columns are what scan reads.
const columns = `
SELECT c.id, c.generation, c.error, c.score, c.genome, c.parents, c.tasks, c.outputs, c.sum,
       c.items, i.count, i.encoding, i.data, i.sum
FROM candidates c LEFT JOIN items i ON i.id = c.items `

// statements are prepared once for each opened run.
type statements struct {
	candidate, page, best                  *sql.Stmt
	findItems, insertItems                 *sql.Stmt
	insertCandidate                        *sql.Stmt
	first, generation, last, setGeneration *sql.Stmt
	snapshots, setSnapshot, dropSnapshots  *sql.Stmt
	note, setNote                          *sql.Stmt
}

func (s *statements) prepare(db *sql.DB) error {
	for _, p := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&s.candidate, columns + `WHERE c.id = ?`},
		{&s.page, columns + `WHERE c.id > ? ORDER BY c.id LIMIT ?`},
		{&s.best, columns + `WHERE c.failed = 0 ORDER BY c.value DESC, c.tie DESC, c.id LIMIT ?`},

		{&s.findItems, `SELECT id, sum FROM items WHERE key = ?`},
		{&s.insertItems, `INSERT INTO items (key, count, encoding, data, sum) VALUES (?, ?, ?, ?, ?)`},
		{&s.insertCandidate, `INSERT INTO candidates
			(id, generation, failed, value, tie, error, score, genome, parents, tasks, outputs, items, sum)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},

		{&s.first, `SELECT id FROM candidates WHERE failed = 0 ORDER BY value DESC, tie DESC, id LIMIT 1`},
		{&s.generation, `SELECT id, told, last, evaluations, failed, best, sum FROM generations WHERE id = ?`},
		{&s.last, `SELECT id, told, last, evaluations, failed, best, sum FROM generations ORDER BY id DESC LIMIT 1`},
		{&s.setGeneration, `INSERT OR REPLACE INTO generations
			(id, told, last, evaluations, failed, best, sum) VALUES (?, ?, ?, ?, ?, ?, ?)`},

		{&s.snapshots, `SELECT generation, state, sum FROM snapshots ORDER BY generation DESC`},
		{&s.setSnapshot, `INSERT OR REPLACE INTO snapshots (generation, state, sum) VALUES (?, ?, ?)`},
		{&s.dropSnapshots, `DELETE FROM snapshots WHERE generation NOT IN
			(SELECT generation FROM snapshots ORDER BY generation DESC LIMIT 2)`},

		{&s.note, `SELECT value FROM notes WHERE key = ?`},
		{&s.setNote, `INSERT OR REPLACE INTO notes (key, value) VALUES (?, ?)`},
	} {
		stmt, err := db.Prepare(p.query)
		if code(err) == sqlite3.SQLITE_ERROR { // no such table or column
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}
