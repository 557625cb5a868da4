package runs

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Status is the key of the note which List shows, a string: "running",
// "interrupted", "done: evaluations".
const Status = "status"

// SetNote stores v as JSON under key, in place of what was there: the parents'
// scores, the budget, the final report.
func (r *Run) SetNote(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return r.err(fmt.Errorf("note %s: %w", key, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return r.err(err)
	}
	err = r.transaction(func(tx *sql.Tx) error {
		_, err := tx.Stmt(r.setNote).Exec(key, string(b))
		return err
	})
	if err != nil {
		return r.err(fmt.Errorf("note %s: %w", key, err))
	}
	return nil
}

// Note reads the note into v, a pointer as for json.Unmarshal; false when there
// is none.
func (r *Run) Note(key string, v any) (bool, error) {
	var text string
	err := r.note.QueryRow(key).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), v)
	}
	if err != nil {
		return false, r.err(fmt.Errorf("note %s: %w", key, err))
	}
	return true, nil
}
