package runs

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// Append stores generations, one behind the other, in one transaction: after a crash
// they are there with the optimizer's state, or nothing of them is.
//
// Candidates which are stored already are compared and kept, so that a run which
// was resumed from an older state, or with a larger budget, may tell again what
// it told before. ErrTrajectory names the first which differs.
func (r *Run) Append(generations ...Generation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return r.err(err)
	}
	at := 0
	err := r.transaction(func(tx *sql.Tx) error {
		for _, g := range generations {
			at = g.Index
			if err := r.append(tx, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r.err(fmt.Errorf("generation %d: %w", at, err))
	}
	return nil
}

// transaction commits what do did, or nothing, also when do panics.
func (r *Run) transaction(do func(tx *sql.Tx) error) error {
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := do(tx); err != nil {
		return err
	}
	return durable("commit", r.path(), tx.Commit)
}

func (r *Run) append(tx *sql.Tx, g Generation) error {
	if g.Index < 1 {
		return errors.New("generations are counted from 1")
	}
	if g.State != nil && !g.Told {
		return errors.New("the state is that of a generation which was told")
	}
	before, ok, err := scanTotals(tx.Stmt(r.generation).QueryRow(g.Index - 1))
	if err != nil {
		return err
	}
	if g.Index > 1 && !(ok && before.told) {
		return fmt.Errorf("%w: generation %d is not stored, or not complete", ErrTrajectory, g.Index-1)
	}
	now, ok, err := scanTotals(tx.Stmt(r.generation).QueryRow(g.Index))
	if err != nil {
		return err
	}
	if !ok {
		now = before
		now.id, now.told = g.Index, false
	}
	changed, err := r.candidates(tx, g, before, &now)
	if err != nil {
		return err
	}
	if g.Told && !now.told {
		now.told, changed = true, true
	}
	if changed || !ok {
		_, err := tx.Stmt(r.setGeneration).Exec(now.id, now.told, now.last, now.evaluations, now.failed, now.best, now.sum())
		if err != nil {
			return err
		}
	}
	if g.State == nil {
		return nil
	}
	sum := checksum(appendIntegers(nil, uint64(g.Index)), g.State)
	if _, err := tx.Stmt(r.setSnapshot).Exec(g.Index, g.State, sum); err != nil {
		return err
	}
	_, err = tx.Stmt(r.dropSnapshots).Exec()
	return err
}

// candidates stores those of g which are new and takes now from where it stands
// to with them.
func (r *Run) candidates(tx *sql.Tx, g Generation, before totals, now *totals) (changed bool, err error) {
	stored, again, last := now.evaluations-before.evaluations, 0, before.last
	end := now.last
	insert, findItems := tx.Stmt(r.insertCandidate), tx.Stmt(r.findItems)
	insertItems, candidate := tx.Stmt(r.insertItems), tx.Stmt(r.candidate)
	for i := range g.Candidates {
		c := g.Candidates[i] // a copy: the generation is set
		c.Generation = g.Index
		if c.ID > math.MaxInt64 || int64(c.ID) <= last {
			return false, fmt.Errorf("%w: candidate %d comes after candidate %d", ErrTrajectory, c.ID, last)
		}
		last = int64(c.ID)
		if last <= end {
			if err := compare(candidate, &c); err != nil {
				return false, err
			}
			again++
			continue
		}
		if now.told {
			return false, fmt.Errorf("%w: candidate %d is not in the generation that is stored", ErrTrajectory, c.ID)
		}
		items, sum, err := r.store(findItems, insertItems, &c)
		if err == nil {
			err = write(insert, &c, items, sum)
		}
		if err != nil {
			return false, fmt.Errorf("candidate %d: %w", c.ID, err)
		}
		now.last, changed = last, true
		now.evaluations++
		if c.Failed() {
			now.failed++
		}
	}
	// A smaller budget may cut the generation earlier, which changes nothing.
	if again < stored && (g.Told || changed) {
		return false, fmt.Errorf("%w: %d of %d stored candidates are missing", ErrTrajectory, stored-again, stored)
	}
	if changed {
		err = tx.Stmt(r.first).QueryRow().Scan(&now.best)
		if errors.Is(err, sql.ErrNoRows) {
			now.best, err = sql.NullInt64{}, nil
		}
	}
	return changed, err
}

// compare holds c against what is stored under its ID.
func compare(stmt *sql.Stmt, c *Record) error {
	all, err := list(stmt.Query(int64(c.ID)))
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return fmt.Errorf("%w: candidate %d was not asked for", ErrTrajectory, c.ID)
	case all[0].Generation != c.Generation:
		return fmt.Errorf("%w: candidate %d is of generation %d", ErrTrajectory, c.ID, all[0].Generation)
	}
	if what := all[0].differs(c); what != "" {
		return fmt.Errorf("%w: the %s of candidate %d differs from what is stored", ErrTrajectory, what, c.ID)
	}
	return nil
}

// store returns the row of c's Items, the row of another candidate if it has the
// same, and its checksum.
func (r *Run) store(find, insert *sql.Stmt, c *Record) (id sql.NullInt64, sum uint32, err error) {
	if len(c.Items) == 0 {
		return id, 0, nil
	}
	p := r.packer.pack(c.Items, c.Outputs)
	if p.key != nil {
		err := find.QueryRow(p.key).Scan(&id, &sum)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, sum, err
		}
	}
	data, err := r.packer.data(p)
	if err != nil {
		return id, 0, err
	}
	sum = itemsTotal(int64(p.count), int64(p.encoding), data)
	result, err := insert.Exec(p.key, p.count, p.encoding, data, sum)
	if err != nil {
		return id, 0, err
	}
	id.Valid = true
	id.Int64, err = result.LastInsertId()
	return id, sum, err
}

func write(insert *sql.Stmt, c *Record, items sql.NullInt64, sum uint32) error {
	failed, value, tie := c.Failed(), any(c.Value), any(c.Tie)
	switch {
	case failed:
		value, tie = nil, nil
	case math.IsNaN(c.Tie):
		tie = math.Inf(-1)
	}
	message := c.message()
	_, err := insert.Exec(int64(c.ID), c.Generation, failed, value, tie, message,
		c.score(), appendFloats([]byte{}, c.Genome...), appendIntegers([]byte{}, c.Parents...),
		appendMarks([]byte{}, c.Tasks), c.Outputs[:], items, c.sum(sum, message))
	return err
}
