package runs

import (
	"errors"
	"iter"
	"math"
)

// page is how many records are read at a time. Nothing is held between pages, so
// whoever loops may append, and another process may write.
const page = 64

// Records yields every candidate in the order of IDs, and ends with the first
// error.
func (r *Run) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for c, err := range r.since(0) {
			if err != nil {
				err = r.err(err)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// since yields the candidates after the ID last.
func (r *Run) since(last int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			all, err := list(r.page.Query(last, page))
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, c := range all {
				if !yield(c, nil) {
					return
				}
				last = int64(c.ID)
			}
			if len(all) < page {
				return
			}
		}
	}
}

// Record returns the candidate of that ID; false when there is none.
func (r *Run) Record(id uint64) (Record, bool, error) {
	c, ok, err := r.find(id)
	if err != nil {
		return Record{}, false, r.err(err)
	}
	return c, ok, nil
}

func (r *Run) find(id uint64) (Record, bool, error) {
	if id > math.MaxInt64 {
		return Record{}, false, nil
	}
	all, err := list(r.candidate.Query(int64(id)))
	if err != nil || len(all) == 0 {
		return Record{}, false, err
	}
	return all[0], true, nil
}

// Best returns the n best candidates by evolve.Compare, best first; fewer when
// fewer succeeded. Failed ones are not among them.
func (r *Run) Best(n int) ([]Record, error) {
	if n < 0 {
		return nil, r.err(errors.New("best: a negative number of candidates"))
	}
	all, err := list(r.best.Query(n))
	if err != nil {
		return nil, r.err(err)
	}
	return all, nil
}

// Totals returns where the run stands: how many generations were told, how many
// candidates have a score, and how many of those failed.
func (r *Run) Totals() (generations, evaluations, failed int, err error) {
	t, _, err := scanTotals(r.last.QueryRow())
	if err != nil {
		return 0, 0, 0, r.err(err)
	}
	generations = t.id
	if !t.told {
		generations = max(0, generations-1)
	}
	return generations, t.evaluations, t.failed, nil
}
