package runs

import (
	"database/sql"
	"errors"
)

// Generation is what evolve reports when one is scored.
type Generation struct {
	// Index is 1, 2, 3, …: the totals' Generations when Told, one more else.
	Index int

	// Told says that the optimizer has learnt from the candidates. The last
	// generation of a run may be cut by the budget; it comes again, whole, when
	// the run is resumed with a larger one.
	Told bool

	// Candidates are in the order of asking, which is that of their IDs.
	Candidates []Record

	// State is the optimizer's after Tell; nil when not Told. It may be left out
	// in some generations, which a resume then replays.
	State []byte
}

// totals is a row of generations: where the run stood then.
type totals struct {
	id          int
	told        bool
	last        int64 // highest candidate ID
	evaluations int
	failed      int
	best        sql.NullInt64
}

func (t totals) sum() uint32 {
	told := uint64(0)
	if t.told {
		told = 1
	}
	return checksum(appendIntegers(nil, uint64(t.id), told, uint64(t.last),
		uint64(t.evaluations), uint64(t.failed), uint64(t.best.Int64)))
}

// scanTotals returns false when there is no such generation.
func scanTotals(row *sql.Row) (totals, bool, error) {
	var t totals
	var sum uint32
	err := row.Scan(&t.id, &t.told, &t.last, &t.evaluations, &t.failed, &t.best, &sum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return totals{}, false, nil
	case err != nil && code(err) == 0:
		return totals{}, false, damaged("generations: %v", err)
	case err != nil:
		return totals{}, false, err
	case t.sum() != sum:
		return totals{}, false, damaged("generation %d: its checksum differs", t.id)
	}
	return t, true, nil
}
