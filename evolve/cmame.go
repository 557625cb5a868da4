package evolve

import (
	"context"
	"math"
	"slices"
)

var (
	_ = row(cmameRow("cma-me", false,
		"CMA-ME: several CMA-ES, each rewarded for candidates that are new or better in an archive.",
		"as map-elites, where the best of each kind matters more than how many kinds there are",
		"Fontaine, Togelius, Nikolaidis and Hoover 2020, Covariance Matrix Adaptation for the Rapid Illumination of Behavior Space, GECCO, arXiv:1912.02400"))
	_ = row(cmameRow("cma-mae", true,
		"CMA-MAE: CMA-ME whose cells raise slowly what they ask for, so that it stays longer where candidates are good.",
		"as cma-me, on landscapes that are flat or have one dominant peak",
		"Fontaine and Nikolaidis 2023, Covariance Matrix Adaptation MAP-Annealing, GECCO, arXiv:2205.10752"))
)

func cmameRow(name string, anneal bool, doc, use, cite string) Algorithm {
	a := Algorithm{
		Name: name, Doc: doc, Use: use, Cite: cite, Population: "60", Descriptors: true,
		Options: append([]Option{{Name: "emitters", Default: "5", Min: 1, Max: 1000, Int: true, Doc: "how many CMA-ES"}}, archiveOptions...),
	}
	if anneal {
		a.Options = append(a.Options,
			Option{Name: "rate", Default: "0.01", Min: 0, Max: 1, Doc: "how fast cells raise what they ask for"},
			Option{Name: "lowest", Default: "0", Min: -1e300, Max: 1e300, Doc: "what an empty cell asks for: the least score that is of use"})
	}
	a.New = func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 60)
		m := &CMAME{name: name, anneal: anneal, n: len(box), size: o.Population, seed: o.Seed, sigma: o.Sigma,
			rate: 1, lowest: math.Inf(-1), kind: newCellKind(o), asked: asked{first: 1}}
		if anneal {
			m.rate, m.lowest = o.number("rate"), o.number("lowest")
		}
		m.archive = NewElites(m.kind.make(), m.rate, m.lowest)
		start := box.Start()
		if o.Start != nil {
			start = o.Start
		}
		for range max(1, min(o.whole("emitters"), o.Population/2)) {
			m.emitters = append(m.emitters, m.emitter(start))
		}
		return m, nil
	}
	return a
}

// CMAME searches with several CMA-ES at once, whose candidates are ranked by what they
// do to an archive. Candidate k of a generation is of emitter k mod emitters.
type CMAME struct {
	name         string
	anneal       bool // CMA-MAE
	n, size      int
	seed         uint64
	sigma        float64
	rate, lowest float64
	kind         cellKind
	archive      *Elites
	emitters     []*distribution
	asked
}

// emitter is a new distribution about a point.
func (m *CMAME) emitter(u []float64) *distribution {
	return newDistribution(newStrategy(m.n, max(2, m.size/max(1, len(m.emitters)))), unfolded(u), m.sigma, maxStd)
}

// draw returns the steps of the candidates of emitter e, with their places.
func (m *CMAME) draw(e int) (places []int, y, z [][]float64) {
	for k := e; k < m.size; k += len(m.emitters) {
		places = append(places, k)
	}
	y, z = newRows(len(places), m.n), newRows(len(places), m.n)
	for i, k := range places {
		rng := Draws(m.seed, m.first+uint64(k))
		for j := range z[i] {
			z[i][j] = rng.NormFloat64()
		}
	}
	m.emitters[e].shapeAll(y, z)
	return places, y, z
}

// Ask implements Optimizer.
func (m *CMAME) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.out = true
	pop := make([]Candidate[[]float64], m.size)
	for e, d := range m.emitters {
		places, y, _ := m.draw(e)
		for i, k := range places {
			x := make([]float64, m.n)
			d.point(x, y[i])
			foldAll(x)
			pop[k] = Candidate[[]float64]{ID: m.first + uint64(k), Genome: x}
		}
	}
	return pop, nil
}

// Tell implements Optimizer.
func (m *CMAME) Tell(told []Scored[[]float64]) error {
	if err := match(m.asked, m.size, told); err != nil {
		return err
	}
	own := slices.Clone(told)
	slices.SortFunc(own, func(a, b Scored[[]float64]) int { return int(int64(a.ID - b.ID)) })
	for e := range m.emitters {
		places, y, z := m.draw(e)
		list := make([]Scored[[]float64], len(places))
		for i, k := range places {
			list[i] = own[k]
		}
		m.learn(e, list, m.archive.Add(list), y, z)
	}
	m.asked = asked{first: m.first + uint64(len(told))}
	return nil
}

// learn moves an emitter towards what changed the archive, or begins it anew.
func (m *CMAME) learn(e int, list []Scored[[]float64], changes []Change, y, z [][]float64) {
	d := m.emitters[e]
	order := byGain(list, changes)
	parents := 0
	for _, c := range changes {
		if c.Status > 0 {
			parents++
		}
	}
	if m.anneal { // by how much what is asked for is exceeded, and always half of them
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case changes[a].Gain > changes[b].Gain:
				return -1
			case changes[a].Gain < changes[b].Gain:
				return 1
			}
			return 0
		})
		order = slices.DeleteFunc(order, func(i int) bool { return list[i].Failed() })
		parents = min(len(order), max(1, len(list)/2))
	}
	if parents > 0 {
		by, bz := make([][]float64, len(order)), make([][]float64, len(order))
		for i, k := range order {
			by[i], bz[i] = y[k], z[k]
		}
		d.strategy = positiveStrategy(m.n, len(order), parents)
		d.update(by, bz)
	}
	if parents > 0 && !d.exhausted() {
		return
	}
	elite, ok := m.archive.Sample(Draws(m.seed, mix(m.first+uint64(e))))
	if !ok {
		return // nothing is known: it stays
	}
	m.emitters[e] = m.emitter(elite.Genome)
}

// exhausted reports that a distribution can do no more: ribs' conditions.
func (d *distribution) exhausted() bool {
	largest := 0.0
	for i := range d.n {
		largest = math.Max(largest, d.std(i))
	}
	return largest < 1e-11 || d.axes[d.n-1] > 1e7*d.axes[0]
}

// positiveStrategy is for so many parents of lambda, with positive weights ln(parents +
// ½) - ln i.
func positiveStrategy(n, lambda, parents int) strategy {
	s := newStrategy(n, max(2, lambda))
	s.weights, s.mu, s.lambda = make([]float64, lambda), parents, lambda
	var sum, sum2 float64
	for i := range parents {
		s.weights[i] = math.Log(float64(parents)+0.5) - math.Log(float64(i+1))
		sum += s.weights[i]
	}
	for i := range s.weights {
		s.weights[i] /= sum
		sum2 += s.weights[i] * s.weights[i]
	}
	N := float64(n)
	s.mueff = 1 / sum2
	s.cc = (4 + s.mueff/N) / (N + 4 + 2*s.mueff/N)
	s.cs = (s.mueff + 2) / (N + s.mueff + 5)
	s.damps = 1 + 2*math.Max(0, math.Sqrt((s.mueff-1)/(N+1))-1) + s.cs
	s.c1 = 2 / ((N+1.3)*(N+1.3) + s.mueff)
	s.cmu = math.Max(0, math.Min(1-s.c1, 2*(s.mueff-2+1/s.mueff)/((N+2)*(N+2)+s.mueff)))
	s.gap = 1 / (s.c1 + s.cmu) / N / 10
	return s
}

// Stop implements Optimizer: always "".
func (m *CMAME) Stop() string { return "" }

// Archive implements Archived.
func (m *CMAME) Archive() Archive[[]float64] { return m.archive }

const cmameVersion = 1

// MarshalBinary implements Optimizer.
func (m *CMAME) MarshalBinary() ([]byte, error) {
	return marshal("evolve/"+m.name, cmameVersion, func(f fields) { m.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (m *CMAME) UnmarshalBinary(data []byte) error {
	s := CMAME{name: m.name}
	if err := unmarshal(data, "evolve/"+m.name, cmameVersion, func(f fields) { s.state(f, m.n) }); err != nil {
		return err
	}
	*m = s
	return nil
}

func (m *CMAME) state(f fields, n int) {
	f.genes(&m.n, n)
	f.bool("anneal", &m.anneal)
	f.int("population", &m.size, 1, maxPopulation)
	f.uint(&m.seed)
	f.within("sigma", &m.sigma, 1e-300, 1)
	f.within("rate", &m.rate, 0, 1)
	f.float(&m.lowest)
	m.kind.state(f)
	f.asked(&m.asked)
	count := len(m.emitters)
	f.count("emitters", &count, m.size, 8*m.n)
	if f.reading() {
		if !f.ok() || count == 0 || math.IsNaN(m.lowest) {
			f.fail("no emitter is left")
			return
		}
		m.emitters = make([]*distribution, count)
		m.archive = NewElites(m.kind.make(), m.rate, m.lowest)
	}
	m.archive.state(f, m.n)
	for e := range m.emitters {
		if f.reading() {
			m.emitters[e] = &distribution{maxStd: maxStd}
			m.emitters[e].strategy = newStrategy(m.n, max(2, m.size/count))
		}
		m.emitters[e].state(f)
		if !f.ok() {
			return
		}
	}
}
