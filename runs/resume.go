package runs

import (
	"database/sql"
	"fmt"

	"github.com/mergevo/mergevo/evolve"
)

// Resume returns where the run goes on: the optimizer's last state, the progress
// for evolve.Run at that state, and the candidates stored since, whose scores are
// in the progress too. A run without a state is resumed with a new optimizer.
//
// The state before the last serves when the last is damaged; there are more known
// scores then, and the trajectory is the same.
func (r *Run) Resume() (state []byte, from evolve.Progress[[]float64], known map[uint64]Record, err error) {
	state, from, known, err = r.resume()
	if err != nil {
		return nil, evolve.Progress[[]float64]{}, nil, r.err(fmt.Errorf("resume: %w", err))
	}
	return state, from, known, nil
}

func (r *Run) resume() (state []byte, from evolve.Progress[[]float64], known map[uint64]Record, err error) {
	state, generation, err := r.snapshot()
	if err != nil {
		return nil, from, nil, err
	}
	var last int64
	if state != nil {
		t, ok, err := scanTotals(r.generation.QueryRow(generation))
		if err != nil {
			return nil, from, nil, err
		}
		if !ok {
			return nil, from, nil, damaged("generation %d is missing", generation)
		}
		last = t.last
		from.Generation, from.Evaluations, from.Failed = t.id, t.evaluations, t.failed
		if t.best.Valid {
			c, ok, err := r.find(uint64(t.best.Int64))
			if err != nil {
				return nil, from, nil, err
			}
			if !ok {
				return nil, from, nil, damaged("candidate %d is missing", t.best.Int64)
			}
			from.Best = &c.Scored
		}
	}
	known, from.Known = map[uint64]Record{}, map[uint64]evolve.Score{}
	for c, err := range r.since(last) {
		if err != nil {
			return nil, from, nil, err
		}
		known[c.ID], from.Known[c.ID] = c, c.Score
	}
	return state, from, known, nil
}

// snapshot returns the newest state which is whole; nil when none was stored.
func (r *Run) snapshot() (state []byte, generation int, err error) {
	rows, err := r.snapshots.Query()
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var b sql.RawBytes
		var sum uint32
		if err = rows.Scan(&generation, &b, &sum); err != nil {
			err = damaged("the optimizer's state: %v", err)
			continue
		}
		if checksum(appendIntegers(nil, uint64(generation)), b) != sum {
			err = damaged("the optimizer's state: its checksum differs")
			continue
		}
		return append([]byte{}, b...), generation, nil
	}
	if rows.Err() != nil {
		err = rows.Err()
	}
	return nil, 0, err
}
