package runs_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// create makes a run which is closed when the test ends.
func create(t testing.TB) *runs.Run {
	t.Helper()
	r, err := runs.Create(filepath.Join(t.TempDir(), "run"), runs.Manifest{
		Version: "test", RecipePath: "ties.yaml", Recipe: []byte("merge_method: ties\n"),
		Tasks: []runs.Task{{Name: "a", Examples: 5}, {Name: "b", Examples: 4}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// reopen closes r and opens it again.
func reopen(t testing.TB, r *runs.Run) *runs.Run {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := runs.Open(r.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// population is the size of generation's generations.
const population = 4

// generation makes one whose content follows from its index.
func generation(index int) runs.Generation {
	draw := rand.New(rand.NewPCG(uint64(index), 1))
	g := runs.Generation{Index: index, Told: true, State: fmt.Appendf(nil, "state after %d", index)}
	for i := range population {
		var c runs.Record
		c.ID = uint64((index-1)*population + i + 1)
		c.Generation = index
		c.Genome = []float64{draw.Float64(), draw.NormFloat64(), 0}
		c.Value, c.Tie = math.Round(4*draw.Float64())/4, draw.NormFloat64()
		for range 9 {
			c.Items = append(c.Items, float32(draw.IntN(2)))
		}
		c.Tasks = map[string]float64{"a": draw.Float64(), "b": c.Value}
		c.Outputs[0] = byte(draw.IntN(3)) // zero, or shared with others
		switch {
		case i == 1:
			c.Parents = []uint64{c.ID - 1, 1 << 60}
		case i == 2 && index%3 == 0:
			c.Err = errors.New("out of memory\nat \"b\"")
		case i == 3 && index%2 == 0:
			c.Value = math.NaN()
		case i == 3:
			c.Items[2] = 0.25
		}
		g.Candidates = append(g.Candidates, c)
	}
	return g
}

// exact compares to the last bit, and errors by their text.
var exact = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b error) bool {
		return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error())
	}),
}

// tester is what testing.T and rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(args ...any)
}

// stored returns all records of r.
func stored(t tester, r *runs.Run) []runs.Record {
	t.Helper()
	var all []runs.Record
	for c, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// memory is what a run should know after some generations.
type memory struct {
	records []runs.Record
	state   []byte
	from    evolve.Progress[[]float64]
	known   map[uint64]runs.Record
}

func (m *memory) add(g runs.Generation) {
	if m.known == nil {
		m.known = map[uint64]runs.Record{}
	}
	m.from.Known = map[uint64]evolve.Score{}
	for _, c := range g.Candidates {
		if n := len(m.records); n == 0 || m.records[n-1].ID < c.ID {
			m.records = append(m.records, c)
		}
		m.known[c.ID] = c
	}
	if g.State != nil {
		m.state, m.from.Generation = g.State, g.Index
		m.from.Evaluations, m.from.Failed, m.from.Best = 0, 0, nil
		m.known = map[uint64]runs.Record{}
		for _, c := range m.records {
			m.from.Evaluations++
			if c.Failed() {
				m.from.Failed++
			} else if m.from.Best == nil || evolve.Better(c.Scored, *m.from.Best) {
				m.from.Best = &c.Scored
			}
		}
	}
	for id, c := range m.known {
		m.from.Known[id] = c.Score
	}
}

// best is evolve's order over what succeeded.
func (m *memory) best(n int) []runs.Record {
	all := slices.DeleteFunc(slices.Clone(m.records), func(c runs.Record) bool { return c.Failed() })
	slices.SortFunc(all, func(a, b runs.Record) int { return evolve.Compare(a.Scored, b.Scored) })
	return append([]runs.Record(nil), all[:min(n, len(all))]...)
}

// diff says in what r is not as m.
func (m *memory) diff(t tester, r *runs.Run) string {
	t.Helper()
	state, from, known, err := r.Resume()
	if err != nil {
		t.Fatal(err)
	}
	best, err := r.Best(5)
	if err != nil {
		t.Fatal(err)
	}
	want := memory{m.records, m.state, m.from, maps.Clone(m.known)}
	if want.known == nil {
		want.known, want.from.Known = map[uint64]runs.Record{}, map[uint64]evolve.Score{}
	}
	got := memory{stored(t, r), state, from, known}
	opts := append(exact, cmp.AllowUnexported(memory{}))
	return cmp.Diff(want, got, opts) + cmp.Diff(m.best(5), best, opts)
}
