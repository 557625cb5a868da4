package evolvetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/evolve"
)

// Suite runs the contract of evolve.Optimizer on a row, as subtests of its name.
func Suite(t *testing.T, a evolve.Algorithm) {
	t.Run(a.Name, func(t *testing.T) {
		for _, n := range []int{1, 2, 17} {
			if testing.Short() && n > 2 {
				continue
			}
			t.Run(fmt.Sprintf("n%d", n), func(t *testing.T) {
				s := suite{a, n}
				t.Run("SameSeed", s.sameSeed)
				t.Run("InTheBox", s.inTheBox)
				t.Run("AskTwice", s.askTwice)
				t.Run("AnyOrder", s.anyOrder)
				t.Run("NotAsked", s.notAsked)
				t.Run("Resume", s.resume)
				t.Run("OddScores", s.oddScores)
				t.Run("Corrupted", s.corrupted)
				t.Run("Canceled", s.canceled)
			})
		}
		t.Run("BadBox", func(t *testing.T) {
			for _, box := range []evolve.Box{nil, {{Name: "a", Lo: 1, Hi: 0}}} {
				if o, err := a.New(box, evolve.Settings{Proposer: Propose}); err == nil || o != nil {
					t.Errorf("box %v: got %v, %v; want an error", box, o, err)
				}
			}
		})
	})
}

type suite struct {
	row evolve.Algorithm
	n   int
}

func (s suite) make(t *testing.T, seed uint64) evolve.Optimizer[[]float64] {
	t.Helper()
	box := make(evolve.Box, s.n)
	for i := range box {
		box[i] = evolve.Gene{Name: fmt.Sprint("x", i), Lo: 0, Hi: 1, Start: 0.25}
	}
	o, err := s.row.New(box, evolve.Settings{Seed: seed, Proposer: Propose})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (s suite) sameSeed(t *testing.T) {
	a, b := play(t, s.make(t, 1)), play(t, s.make(t, 1))
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the same seed gave another run (-first +second):\n%s", d)
	}
	if !s.row.Seedless && reflect.DeepEqual(a, play(t, s.make(t, 2))) {
		t.Error("another seed gave the same run")
	}
}

func (s suite) inTheBox(t *testing.T) {
	id := uint64(0)
	for g, pop := range play(t, s.make(t, 3)).Asked {
		for _, c := range pop {
			if id++; c.ID != id {
				t.Fatalf("generation %d: ID %d, want %d", g, c.ID, id)
			}
			if len(c.Genome) != s.n {
				t.Fatalf("candidate %d has %d coordinates, want %d", c.ID, len(c.Genome), s.n)
			}
			for i, u := range c.Genome {
				if !(u >= 0 && u <= 1) {
					t.Errorf("candidate %d: coordinate %d is %v", c.ID, i, u)
				}
			}
			for _, p := range c.Parents {
				if p == 0 || p >= c.ID {
					t.Errorf("candidate %d has the parent %d", c.ID, p)
				}
			}
		}
	}
}

func (s suite) askTwice(t *testing.T) {
	o, want := s.make(t, 4), play(t, s.make(t, 4))
	for g := range generations {
		first := ask(t, o)
		for _, c := range first { // what is returned is not the optimizer's own
			c.Genome[0] = -1
		}
		second := ask(t, o)
		if d := cmp.Diff(want.Asked[g], second); d != "" {
			t.Fatalf("generation %d: asking again gave others (-want +got):\n%s", g, d)
		}
		tell(t, o, score(second, bowl))
	}
}

func (s suite) anyOrder(t *testing.T) {
	o, want := s.make(t, 5), play(t, s.make(t, 5))
	for g := range generations {
		pop := ask(t, o)
		if d := cmp.Diff(want.Asked[g], pop); d != "" {
			t.Fatalf("generation %d: the order of telling mattered (-want +got):\n%s", g, d)
		}
		told := score(pop, bowl)
		k := g % len(told)
		slices.Reverse(told[:k])
		slices.Reverse(told[k:])
		tell(t, o, told)
	}
}

func (s suite) notAsked(t *testing.T) {
	o := s.make(t, 6)
	refuse := func(what string, told scored) {
		t.Helper()
		before := state(t, o)
		if err := o.Tell(told); !errors.Is(err, evolve.ErrNotAsked) {
			t.Errorf("%s: got the error %v, want ErrNotAsked", what, err)
		}
		if !slices.Equal(before, state(t, o)) {
			t.Errorf("%s: the state changed", what)
		}
	}
	stranger := evolve.Scored[[]float64]{Candidate: evolve.Candidate[[]float64]{ID: 1, Genome: make([]float64, s.n)}}
	refuse("before Ask", scored{stranger})
	for range 3 {
		told := score(ask(t, o), bowl)
		changed := func(i int, id uint64) scored {
			c := slices.Clone(told)
			c[i].ID = id
			return c
		}
		last := len(told) - 1
		refuse("nothing", nil)
		refuse("one missing", told[:last])
		refuse("one too many", append(slices.Clone(told), told[0]))
		refuse("a stranger", append(slices.Clone(told[:last]), evolve.Scored[[]float64]{
			Candidate: evolve.Candidate[[]float64]{ID: told[last].ID + 1}}))
		refuse("ID 0", changed(0, 0))
		refuse("a huge ID", changed(last, math.MaxUint64))
		if last > 0 {
			refuse("one twice", changed(last, told[0].ID))
		}
		tell(t, o, told)
		refuse("told again", told)
	}
}

// resume stops at every place where a run can stop, and goes on from the state,
// in a fresh optimizer which was made with another seed.
func (s suite) resume(t *testing.T) {
	want := play(t, s.make(t, 7))
	again := func(o evolve.Optimizer[[]float64]) evolve.Optimizer[[]float64] {
		t.Helper()
		b := state(t, o)
		fresh := s.make(t, 8)
		if err := fresh.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b, state(t, fresh)) {
			t.Fatal("the restored state marshals to other bytes")
		}
		return fresh
	}
	for _, mode := range []string{"after Tell", "after Ask, telling at once", "after Ask, asking again"} {
		o := again(s.make(t, 7))
		for g := range generations {
			pop := ask(t, o)
			if d := cmp.Diff(want.Asked[g], pop); d != "" {
				t.Fatalf("%s: generation %d differs (-uninterrupted +resumed):\n%s", mode, g, d)
			}
			switch mode {
			case "after Ask, telling at once":
				o = again(o)
			case "after Ask, asking again":
				o = again(o)
				if d := cmp.Diff(pop, ask(t, o)); d != "" {
					t.Fatalf("%s: generation %d asks for others (-before +resumed):\n%s", mode, g, d)
				}
			}
			tell(t, o, score(pop, bowl))
			if mode == "after Tell" {
				o = again(o)
			}
			if got := o.Stop(); got != want.Stops[g] {
				t.Fatalf("%s: generation %d: Stop is %q, want %q", mode, g, got, want.Stops[g])
			}
		}
	}
}

// oddScores ignores Stop: whatever the scores, proposals stay in the box.
func (s suite) oddScores(t *testing.T) {
	nan, inf, failed := math.NaN(), math.Inf(1), errors.New("out of memory")
	for _, c := range []struct {
		name string
		f    func(evolve.Candidate[[]float64]) evolve.Score
	}{
		{"equal", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Value: 0.5} }},
		{"failed", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Err: failed} }},
		{"NaN", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Value: nan} }},
		{"NaN tie", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Tie: nan} }},
		{"+Inf", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Value: inf} }},
		{"-Inf", func(evolve.Candidate[[]float64]) evolve.Score { return evolve.Score{Value: -inf} }},
		{"huge", func(c evolve.Candidate[[]float64]) evolve.Score {
			return evolve.Score{Value: math.MaxFloat64 * (c.Genome[0] - 0.5)}
		}},
		{"mixed", func(c evolve.Candidate[[]float64]) evolve.Score {
			return [...]evolve.Score{{Value: nan}, {Value: inf}, {Value: -inf}, {Err: failed, Value: 2}, bowl(c)}[c.ID%5]
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := s.make(t, 9)
			rounds := 10 * generations
			if testing.Short() {
				rounds = 2 * generations
			}
			for g := range rounds {
				pop := ask(t, o)
				for _, c := range pop {
					for i, u := range c.Genome {
						if !(u >= 0 && u <= 1) {
							t.Fatalf("generation %d: coordinate %d of candidate %d is %v", g, i, c.ID, u)
						}
					}
				}
				tell(t, o, score(pop, c.f))
				o.Stop()
			}
			if err := s.make(t, 9).UnmarshalBinary(state(t, o)); err != nil {
				t.Errorf("the state cannot be restored: %v", err)
			}
		})
	}
}

func (s suite) corrupted(t *testing.T) {
	o := s.make(t, 10)
	for range 3 {
		tell(t, o, score(ask(t, o), bowl))
	}
	good := state(t, o)
	refuse := func(what string, data []byte) {
		t.Helper()
		if err := o.UnmarshalBinary(data); err == nil {
			t.Fatalf("%s was accepted", what)
		}
	}
	refuse("nil", nil)
	refuse("garbage", []byte("garbage"))
	refuse("a longer state", append(slices.Clone(good), 0))
	step := max(1, len(good)/200)
	for i := 0; i < len(good); i += step {
		refuse(fmt.Sprintf("a state cut at byte %d", i), good[:i])
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("a bit flipped in byte %d", i), bad)
	}
	if !slices.Equal(good, state(t, o)) {
		t.Error("refused states changed the optimizer")
	}
	other, err := suite{s.row, s.n + 1}.make(t, 10).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	refuse("the state of a search with another number of genes", other)
}

func (s suite) canceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.make(t, 11).Ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ask with a canceled context: %v", err)
	}
}
