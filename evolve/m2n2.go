package evolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Breeder makes the genomes of M2N2.
type Breeder[G any] interface {
	// Seeds are the genomes to begin with, at least one.
	Seeds() []G

	// Child merges two genomes, which may be the same. All it draws it draws from
	// rng, which is the child's own.
	Child(rng *rand.Rand, a, b G) G

	// Marshal writes a genome, and Unmarshal reads it back to the last bit. The error
	// says what is wrong with data.
	Marshal(g G) []byte
	Unmarshal(data []byte) (G, error)
}

// M2N2Options configures M2N2. M2N2Reference returns those of the authors' program.
type M2N2Options struct {
	// Archive is the number of members, at least 2.
	Archive int

	// Alpha says how much members compete for examples: 0 not at all, 1 shares each
	// out, above 1 crowds lose. Within [0, 10].
	Alpha float64

	// Epsilon is added to the sums of scores that members share, at least 0.
	Epsilon float64

	// Shift counts the archive's worst score on an example as 0, for scores that are
	// all far above it, such as similarities of images.
	Shift bool

	// Attraction chooses the second parent for what the first lacks; without it, it is
	// drawn like the first.
	Attraction bool

	// Warmup is the number of children whose parents are any two seeds.
	Warmup int

	// InFlight is how many children are bred before the first of them is scored.
	InFlight int

	// Steady breeds a child as soon as one is told, and not all InFlight when the last
	// of them is: child i after the results 1 to i-InFlight.
	Steady bool

	// Seed chooses the run.
	Seed uint64
}

// M2N2Reference returns the options of the authors' program for digits.
func M2N2Reference() M2N2Options {
	return M2N2Options{Archive: 20, Alpha: 1, Attraction: true, InFlight: 1}
}

func (o M2N2Options) validate() error {
	switch {
	case o.Archive < 2 || o.Archive > maxPopulation:
		return fmt.Errorf("an archive of %d is not in [2, %d]", o.Archive, maxPopulation)
	case !(o.Alpha >= 0 && o.Alpha <= 10):
		return fmt.Errorf("alpha %v is not in [0, 10]", o.Alpha)
	case !(o.Epsilon >= 0 && o.Epsilon <= 1):
		return fmt.Errorf("epsilon %v is not in [0, 1]", o.Epsilon)
	case o.Warmup < 0 || o.Warmup > math.MaxInt32:
		return fmt.Errorf("a warm-up of %d children is not possible", o.Warmup)
	case o.InFlight < 1 || o.InFlight > maxPopulation:
		return fmt.Errorf("%d children in flight are not in [1, %d]", o.InFlight, maxPopulation)
	}
	return nil
}

// M2N2 evolves an archive whose members compete for the examples they score on, and
// mate for what they lack (Abrantes, Lange and Tang 2025, arXiv:2508.16204). It keeps
// to the authors' program where that differs from the paper; where the program
// divides by zero, it draws by fitness, and among equals if nobody has any.
//
// Scores need Items, as many of each candidate, and at least 0 but with Shift; a
// candidate without has its Value for one. Failed candidates are not let in.
type M2N2[G any] struct {
	options M2N2Options
	breeder Breeder[G]
	seeds   int         // how many
	members []Scored[G] // by slot; an ID of 0: empty
	pending []Candidate[G]
	asked
}

// NewM2N2 returns a search that begins with the breeder's seeds.
func NewM2N2[G any](b Breeder[G], o M2N2Options) (*M2N2[G], error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	seeds := len(b.Seeds())
	if seeds == 0 || seeds > o.Archive {
		return nil, fmt.Errorf("an archive of %d cannot begin with %d seeds", o.Archive, seeds)
	}
	return &M2N2[G]{options: o, breeder: b, seeds: seeds, members: make([]Scored[G], o.Archive), asked: asked{first: 1}}, nil
}

// Members returns the archive, by slot, without what is empty.
func (m *M2N2[G]) Members() []Scored[G] {
	var out []Scored[G]
	for _, s := range m.members {
		if s.ID != 0 {
			out = append(out, s)
		}
	}
	return out
}

// Diversity says how much the members differ.
func (m *M2N2[G]) Diversity() Diversity { return DiversityOf(scoresOf(m.Members())) }

func scoresOf[G any](members []Scored[G]) [][]float32 {
	scores := make([][]float32, len(members))
	for i, s := range members {
		scores[i] = s.Items
	}
	return scores
}

// Ask implements Optimizer: the seeds first, then InFlight children at a time, or steadily
// all that are in flight.
func (m *M2N2[G]) Ask(ctx context.Context) ([]Candidate[G], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.options.Steady {
		m.fill()
	} else {
		m.breed()
	}
	m.out = true
	return slices.Clone(m.pending), nil
}

// breed fills pending, which follows from the rest of the state.
func (m *M2N2[G]) breed() {
	if m.pending != nil {
		return
	}
	if m.first == 1 {
		m.pending = m.seedlings()
		return
	}
	m.bear(m.options.InFlight)
}

// seedlings are the seeds as candidates.
func (m *M2N2[G]) seedlings() (out []Candidate[G]) {
	for i, g := range m.breeder.Seeds() {
		out = append(out, Candidate[G]{ID: uint64(1 + i), Genome: g})
	}
	return out
}

// bear adds children of the members that there are, until count are pending.
func (m *M2N2[G]) bear(count int) {
	if len(m.pending) >= count {
		return
	}
	members := m.Members()
	if len(members) == 0 { // all seeds failed: what they breed may not
		for _, c := range m.seedlings() {
			members = append(members, Scored[G]{Candidate: c, Score: Score{Items: []float32{0}}})
		}
	}
	market := m.market(members)
	for len(m.pending) < count {
		id := m.first + uint64(len(m.pending))
		rng := Draws(m.options.Seed, id)
		if id-uint64(m.seeds) <= uint64(m.options.Warmup) {
			seeds := m.breeder.Seeds()
			a, b := rng.IntN(len(seeds)), rng.IntN(len(seeds))
			m.pending = append(m.pending, m.child(id, rng, uint64(1+a), uint64(1+b), seeds[a], seeds[b]))
			continue
		}
		a, b := couple(market, m.options.Attraction, rng.Float64(), rng.Float64())
		m.pending = append(m.pending, m.child(id, rng, members[a].ID, members[b].ID, members[a].Genome, members[b].Genome))
	}
}

func (m *M2N2[G]) child(id uint64, rng *rand.Rand, first, second uint64, a, b G) Candidate[G] {
	return Candidate[G]{ID: id, Parents: distinct([]uint64{first, second}), Genome: m.breeder.Child(rng, a, b)}
}

func (m *M2N2[G]) market(members []Scored[G]) market {
	return niches{alpha: m.options.Alpha, epsilon: m.options.Epsilon, shift: m.options.Shift}.open(scoresOf(members))
}

// couple chooses two members of a market by the uniform numbers u and v of [0, 1).
func couple(m market, attracted bool, u, v float64) (a, b int) {
	draw := func(weights []float64, u float64, but int) int {
		if i := pick(weights, u); i >= 0 {
			return i
		}
		even := make([]float64, len(weights)) // nobody has any weight
		for i := range even {
			if i != but {
				even[i] = 1
			}
		}
		return max(0, pick(even, u))
	}
	a = draw(m.fitness, u, -1)
	if !attracted {
		return a, draw(m.fitness, v, -1)
	}
	if b = pick(m.attraction(a), v); b >= 0 {
		return a, b
	}
	others := slices.Clone(m.fitness) // a takes the most of every example
	others[a] = 0
	return a, draw(others, v, a)
}

// Tell implements Optimizer. Candidates are let in by their IDs.
func (m *M2N2[G]) Tell(told []Scored[G]) error {
	count := m.options.InFlight
	switch {
	case m.options.Steady:
		count = 1
	case m.first == 1:
		count = m.seeds
	}
	if err := match(m.asked, count, told); err != nil {
		return err
	}
	if !m.options.Steady {
		m.breed() // for who restored a snapshot and tells without asking again
	}
	told = slices.Clone(told)
	slices.SortFunc(told, func(a, b Scored[G]) int { return cmp.Compare(a.ID, b.ID) })
	width := 0
	if now := m.Members(); len(now) > 0 {
		width = len(now[0].Items)
	}
	for i := range told {
		s := &told[i]
		s.Candidate = m.pending[i]
		if s.Failed() {
			continue
		}
		if len(s.Items) == 0 {
			s.Items = []float32{float32(s.Value)}
		}
		if width == 0 {
			width = len(s.Items)
		}
		if len(s.Items) != width {
			return fmt.Errorf("candidate %d has scores of %d examples, others of %d", s.ID, len(s.Items), width)
		}
		for j, v := range s.Items {
			if !(v >= 0 || m.options.Shift && v <= 0) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("candidate %d scores %v on example %d: M2N2 shares out scores of at least 0", s.ID, v, j)
			}
		}
	}
	for _, s := range told {
		if !s.Failed() {
			m.insert(s)
		}
	}
	m.asked = asked{first: m.first + uint64(count)}
	if m.options.Steady {
		m.pending = m.pending[1:]
	} else {
		m.pending = nil
	}
	return nil
}

// insert puts s into the slot of the least fit of all, the first among equals; s is the
// last of all, so that it displaces its equals. The slot is len(members) if s is the
// least fit.
func (m *M2N2[G]) insert(s Scored[G]) (slot int) {
	if slot = slices.IndexFunc(m.members, func(old Scored[G]) bool { return old.ID == 0 }); slot < 0 {
		slot = m.market(append(m.Members(), s)).worst()
	}
	if slot < len(m.members) {
		m.members[slot] = s
	}
	return slot
}

// Stop implements Optimizer: M2N2 goes on for as long as it may.
func (m *M2N2[G]) Stop() string { return "" }

const (
	m2n2Kind       = "evolve/m2n2"
	m2n2SteadyKind = "evolve/m2n2 steady"
	m2n2Version    = 1
)

// MarshalBinary implements Optimizer.
func (m *M2N2[G]) MarshalBinary() ([]byte, error) {
	if m.options.Steady {
		return marshal(m2n2SteadyKind, m2n2Version, m.steadyState)
	}
	return marshal(m2n2Kind, m2n2Version, m.state)
}

// UnmarshalBinary implements Optimizer. The receiver has to be made by NewM2N2, whose
// breeder reads the genomes.
func (m *M2N2[G]) UnmarshalBinary(data []byte) error {
	if m.breeder == nil {
		return errors.New("a search made without a breeder cannot read genomes")
	}
	s := M2N2[G]{breeder: m.breeder}
	kind, state := m2n2Kind, s.state
	if m.options.Steady {
		s.options.Steady = true
		kind, state = m2n2SteadyKind, s.steadyState
	}
	if err := unmarshal(data, kind, m2n2Version, state); err != nil {
		return err
	}
	*m = s
	return nil
}

func (m *M2N2[G]) state(f fields) {
	o := &m.options
	f.int("archive", &o.Archive, 2, maxPopulation)
	f.within("alpha", &o.Alpha, 0, 10)
	f.within("epsilon", &o.Epsilon, 0, 1)
	f.bool("shift", &o.Shift)
	f.bool("attraction", &o.Attraction)
	f.int("warm-up", &o.Warmup, 0, math.MaxInt32)
	f.int("in flight", &o.InFlight, 1, maxPopulation)
	f.uint(&o.Seed)
	f.int("seeds", &m.seeds, 1, o.Archive)
	f.asked(&m.asked)
	if f.reading() {
		if !f.ok() {
			return
		}
		if n := len(m.breeder.Seeds()); n != m.seeds {
			f.fail("it began with %d seeds, not %d", m.seeds, n)
		}
		m.members = make([]Scored[G], o.Archive)
	}
	width := 0
	for i := range m.members {
		s := &m.members[i]
		f.uint(&s.ID)
		if s.ID == 0 || !f.ok() {
			continue
		}
		f.ids("parents", &s.Parents, 2)
		f.float(&s.Value)
		f.float(&s.Tie)
		f.items("items", &s.Items)
		if width == 0 {
			width = len(s.Items)
		}
		if len(s.Items) == 0 || len(s.Items) != width {
			f.fail("member %d has %d scores", i, len(s.Items))
		}
		m.genome(f, "member", &s.Candidate)
	}
}
