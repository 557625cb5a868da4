package runs_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/runs"
)

// At every moment of a run the disk knows what memory knows, in both journals.
func TestResumeAfterEveryGeneration(t *testing.T) {
	for _, mode := range []string{"wal", "delete", "nonsense"} {
		t.Run(mode, func(t *testing.T) {
			runs.SetJournal(t, mode)
			r := create(t)
			var m memory
			if d := m.diff(t, r); d != "" {
				t.Fatal(d)
			}
			for i := 1; i <= 12; i++ {
				whole := generation(i)
				if i%4 == 0 { // the budget ends here at first
					cut := whole
					cut.Told, cut.State, cut.Candidates = false, nil, whole.Candidates[:2]
					appendOK(t, r, cut)
					m.add(cut)
					r = reopen(t, r)
					if d := m.diff(t, r); d != "" {
						t.Fatalf("generation %d cut: %s", i, d)
					}
				}
				if i%5 == 0 {
					whole.State = nil // to be replayed
				}
				appendOK(t, r, whole)
				m.add(whole)
				r = reopen(t, r)
				if d := m.diff(t, r); d != "" {
					t.Fatalf("generation %d: %s", i, d)
				}
			}
			g, e, f, err := r.Totals()
			if err != nil || g != 12 || e != 48 || f != 10 {
				t.Errorf("totals %d, %d, %d, %v", g, e, f, err)
			}
		})
	}
}

func appendOK(t testing.TB, r *runs.Run, g runs.Generation) {
	t.Helper()
	if err := r.Append(g); err != nil {
		t.Fatal(err)
	}
}

func TestAppendAgain(t *testing.T) {
	r := create(t)
	var m memory
	for i := 1; i <= 3; i++ {
		appendOK(t, r, generation(i))
		m.add(generation(i))
	}
	cut := generation(4)
	cut.Told, cut.State, cut.Candidates = false, nil, cut.Candidates[:3]
	appendOK(t, r, cut)
	m.add(cut)

	// What was told may be told again, without what evolve does not carry.
	for i := 2; i <= 3; i++ {
		g := generation(i)
		for j := range g.Candidates {
			g.Candidates[j].Tasks, g.Candidates[j].Outputs = nil, [16]byte{}
		}
		appendOK(t, r, g)
	}
	shorter := cut
	shorter.Candidates = cut.Candidates[:1]
	appendOK(t, r, cut)
	appendOK(t, r, shorter)
	if d := m.diff(t, r); d != "" {
		t.Fatal(d)
	}

	for name, test := range map[string]struct {
		index  int
		change func(g *runs.Generation)
		want   string
	}{
		"genome":   {3, func(g *runs.Generation) { g.Candidates[1].Genome[2] = math.Copysign(0, -1) }, "genome of candidate 10"},
		"value":    {4, func(g *runs.Generation) { g.Candidates[0].Value++ }, "value of candidate 13"},
		"tie":      {4, func(g *runs.Generation) { g.Candidates[0].Tie++ }, "tie of candidate 13"},
		"error":    {3, func(g *runs.Generation) { g.Candidates[2].Err = nil }, "error of candidate 11"},
		"parents":  {3, func(g *runs.Generation) { g.Candidates[1].Parents = nil }, "parents of candidate 10"},
		"more":     {3, func(g *runs.Generation) { g.Candidates = append(g.Candidates, generation(5).Candidates...) }, "candidate 17"},
		"fewer":    {3, func(g *runs.Generation) { g.Candidates = g.Candidates[:2] }, "2 of 4 stored candidates are missing"},
		"twice":    {4, func(g *runs.Generation) { g.Candidates[1] = g.Candidates[0] }, "candidate 13 comes after candidate 13"},
		"zero":     {4, func(g *runs.Generation) { g.Candidates[0].ID = 0 }, "candidate 0"},
		"huge":     {4, func(g *runs.Generation) { g.Candidates[3].ID = 1 << 63 }, "candidate 9223372036854775808"},
		"elder":    {4, func(g *runs.Generation) { g.Candidates = generation(3).Candidates }, "candidate 9"},
		"next":     {5, func(*runs.Generation) {}, "generation 4 is not stored, or not complete"},
		"far":      {9, func(*runs.Generation) {}, "generation 8 is not stored"},
		"index":    {0, func(g *runs.Generation) { g.Candidates = nil }, "counted from 1"},
		"untold":   {4, func(g *runs.Generation) { g.Told = false }, "state"},
		"not told": {4, func(g *runs.Generation) { g.Candidates = g.Candidates[1:] }, "1 of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			g := generation(max(1, test.index))
			g.Index = test.index
			test.change(&g)
			err := r.Append(g)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want one with %q", err, test.want)
			}
			if !errors.Is(err, runs.ErrTrajectory) && name != "index" && name != "untold" {
				t.Errorf("%v is no ErrTrajectory", err)
			}
			if d := m.diff(t, r); d != "" {
				t.Error("the run changed:", d)
			}
		})
	}
	appendOK(t, r, generation(4))
	m.add(generation(4))
	if d := m.diff(t, r); d != "" {
		t.Fatal(d)
	}
}

// The loop over Records may itself append.
func TestAppendWhileReading(t *testing.T) {
	r := create(t)
	const begin, end = 40, 60
	for i := 1; i <= begin; i++ {
		appendOK(t, r, generation(i))
	}
	n, next := 0, begin+1
	for _, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; next <= end {
			appendOK(t, r, generation(next))
			next++
		}
	}
	if n < begin*population || n > end*population {
		t.Errorf("%d records", n)
	}
	if all := stored(t, r); len(all) != end*population {
		t.Errorf("%d records", len(all))
	}
}

func TestRecordAndNotes(t *testing.T) {
	r := create(t)
	appendOK(t, r, generation(1))
	c, ok, err := r.Record(3)
	if d := cmp.Diff(generation(1).Candidates[2], c, exact); d != "" || !ok || err != nil {
		t.Error(ok, err, d)
	}
	for _, id := range []uint64{0, 5, math.MaxUint64} {
		if _, ok, err := r.Record(id); ok || err != nil {
			t.Error(id, ok, err)
		}
	}
	if _, err := r.Best(-1); err == nil {
		t.Error("a negative number of candidates")
	}
	if best, err := r.Best(0); len(best) != 0 || err != nil {
		t.Error(best, err)
	}

	var status string
	if ok, err := r.Note(runs.Status, &status); ok || err != nil {
		t.Error(ok, err)
	}
	for _, want := range []string{"running", "done: evaluations"} {
		if err := r.SetNote(runs.Status, want); err != nil {
			t.Fatal(err)
		}
		if ok, err := r.Note(runs.Status, &status); !ok || err != nil || status != want {
			t.Error(status, ok, err)
		}
	}
	if err := r.SetNote("bad", math.NaN()); err == nil {
		t.Error("JSON has no NaN")
	}
	if ok, err := r.Note(runs.Status, new(int)); !ok && err == nil {
		t.Error("a string is no number")
	}
	for range 2 { // twice is fine
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range map[string]error{
		"append": r.Append(generation(2)), "note": r.SetNote("a", 1),
		"log": r.Log(1), "file": r.WriteFile("a", nil),
	} {
		if err == nil || !strings.Contains(fmt.Sprint(err), "closed") {
			t.Error(name, err)
		}
	}
}
