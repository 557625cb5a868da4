package evolve_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mergevo/mergevo/evolve"
)

// words breeds bit strings of which each example wants one bit.
type words struct{ seeds []uint64 }

func (w words) Seeds() []uint64 { return w.seeds }

func (w words) Child(rng *rand.Rand, a, b uint64) uint64 {
	mask := uint64(1)<<rng.IntN(65) - 1
	return a&mask | b&^mask
}

func (w words) Marshal(g uint64) []byte { return binary.LittleEndian.AppendUint64(nil, g) }

func (w words) Unmarshal(data []byte) (uint64, error) {
	if len(data) != 8 {
		return 0, fmt.Errorf("%d bytes", len(data))
	}
	return binary.LittleEndian.Uint64(data), nil
}

// spell scores a bit an example.
func spell(g uint64) evolve.Score {
	s := evolve.Score{Items: make([]float32, 64)}
	for j := range s.Items {
		s.Items[j] = float32(g >> j & 1)
		s.Value += float64(s.Items[j]) / 64
	}
	return s
}

var quarters = words{[]uint64{0xffff, 0xffff << 16, 0xffff << 32, 0xffff << 48}}

func newM2N2(t *testing.T, change func(*evolve.M2N2Options)) *evolve.M2N2[uint64] {
	t.Helper()
	o := evolve.M2N2Reference()
	o.Archive, o.Seed = 8, 3
	if change != nil {
		change(&o)
	}
	m, err := evolve.NewM2N2(quarters, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func step(t *testing.T, m *evolve.M2N2[uint64], score func(evolve.Candidate[uint64]) evolve.Score) []evolve.Candidate[uint64] {
	t.Helper()
	pop, err := m.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var told []evolve.Scored[uint64]
	for _, c := range pop {
		told = append(told, evolve.Scored[uint64]{Candidate: c, Score: score(c)})
	}
	slices.Reverse(told) // they are let in by ID
	if err := m.Tell(told); err != nil {
		t.Fatal(err)
	}
	return pop
}

func spelled(c evolve.Candidate[uint64]) evolve.Score { return spell(c.Genome) }

// Seeds that each know a quarter become one that knows nearly all; what no member knows
// any more is lost, since nothing mutates.
func TestM2N2Unites(t *testing.T) {
	m := newM2N2(t, nil)
	best := 0.0
	for range 400 {
		step(t, m, spelled)
	}
	for _, s := range m.Members() {
		best = math.Max(best, s.Value)
	}
	if best < 0.9 || m.Diversity().Coverage < best {
		t.Errorf("best %v, coverage %v, want at least 0.9", best, m.Diversity().Coverage)
	}
}

// Stopped after any step, also between Ask and Tell, it goes on the same.
func TestM2N2Resumes(t *testing.T) {
	for _, flight := range []int{1, 3} {
		how := func(o *evolve.M2N2Options) { o.InFlight, o.Warmup = flight, 5 }
		m, again := newM2N2(t, how), newM2N2(t, how)
		for i := range 40 {
			if i%2 == 0 {
				if _, err := again.Ask(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			data, err := again.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			next := newM2N2(t, nil) // the state's settings replace its own
			if err := next.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			if twice, err := next.MarshalBinary(); err != nil || !bytes.Equal(twice, data) {
				t.Fatalf("step %d: the state read is not the one written (%v)", i, err)
			}
			again = next
			if want, got := step(t, m, spelled), step(t, again, spelled); !reflect.DeepEqual(got, want) {
				t.Fatalf("step %d: %v, want %v", i, got, want)
			}
		}
		if !reflect.DeepEqual(m.Members(), again.Members()) {
			t.Error("archives differ")
		}
	}
}

func TestM2N2RefusesDamage(t *testing.T) {
	m := newM2N2(t, nil)
	for range 20 {
		step(t, m, spelled)
	}
	good, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 4
		if m.UnmarshalBinary(bad) == nil || m.UnmarshalBinary(good[:i]) == nil {
			t.Fatalf("byte %d", i)
		}
	}
	fewer, err := evolve.NewM2N2(words{[]uint64{1, 2}}, evolve.M2N2Reference())
	if err != nil {
		t.Fatal(err)
	}
	if fewer.UnmarshalBinary(good) == nil {
		t.Error("the state of a search with other seeds was accepted")
	}
	if now, err := m.MarshalBinary(); err != nil || !bytes.Equal(now, good) {
		t.Errorf("refused states changed the search (%v)", err)
	}
}

// Whatever the scores are, children have parents of the archive or are seeds' own.
func TestM2N2OddScores(t *testing.T) {
	failed := errors.New("out of memory")
	for name, f := range map[string]func(evolve.Candidate[uint64]) evolve.Score{
		"nobody scores": func(evolve.Candidate[uint64]) evolve.Score { return evolve.Score{Items: make([]float32, 64)} },
		"all fail":      func(evolve.Candidate[uint64]) evolve.Score { return evolve.Score{Err: failed} },
		"no items":      func(c evolve.Candidate[uint64]) evolve.Score { return evolve.Score{Value: float64(c.ID % 3)} },
		"all the same":  func(evolve.Candidate[uint64]) evolve.Score { return spell(7) },
		"one takes all": func(c evolve.Candidate[uint64]) evolve.Score { return spell(uint64(1)<<min(c.ID, 63) - 1) },
		"some seeds fail": func(c evolve.Candidate[uint64]) evolve.Score {
			if c.ID < 4 {
				return evolve.Score{Value: math.NaN()}
			}
			return spell(c.Genome)
		},
	} {
		for _, attraction := range []bool{true, false} {
			t.Run(fmt.Sprint(name, attraction), func(t *testing.T) {
				m := newM2N2(t, func(o *evolve.M2N2Options) { o.Attraction = attraction })
				for range 60 {
					for _, c := range step(t, m, f) {
						if c.ID > 4 && len(c.Parents) == 0 {
							t.Fatalf("candidate %d has no parents", c.ID)
						}
					}
				}
				data, err := m.MarshalBinary()
				if err == nil {
					err = newM2N2(t, nil).UnmarshalBinary(data)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestM2N2Tell(t *testing.T) {
	m := newM2N2(t, nil)
	if err := m.Tell(nil); !errors.Is(err, evolve.ErrNotAsked) {
		t.Errorf("told before asking: %v", err)
	}
	pop, err := m.Ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, items := range map[string][]float32{"negative": {-1}, "not a number": {float32(math.NaN())}, "infinite": {float32(math.Inf(1))}, "fewer": {}} {
		var told []evolve.Scored[uint64]
		for _, c := range pop {
			s := spell(c.Genome)
			if c.ID == 2 {
				s.Items = slices.Concat(items, s.Items)[:max(1, 64*len(items))]
			}
			told = append(told, evolve.Scored[uint64]{Candidate: c, Score: s})
		}
		if err := m.Tell(told); err == nil {
			t.Errorf("%s scores were taken", name)
		}
	}
	if len(m.Members()) != 0 {
		t.Error("refused scores were let in")
	}
	step(t, m, spelled)
}

func TestM2N2Options(t *testing.T) {
	for _, change := range []func(*evolve.M2N2Options){
		func(o *evolve.M2N2Options) { o.Archive = 1 },
		func(o *evolve.M2N2Options) { o.Archive = 3 }, // four seeds
		func(o *evolve.M2N2Options) { o.Alpha = -1 },
		func(o *evolve.M2N2Options) { o.Alpha = math.NaN() },
		func(o *evolve.M2N2Options) { o.Epsilon = -1 },
		func(o *evolve.M2N2Options) { o.Warmup = -1 },
		func(o *evolve.M2N2Options) { o.InFlight = 0 },
	} {
		o := evolve.M2N2Reference()
		change(&o)
		if _, err := evolve.NewM2N2(quarters, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
