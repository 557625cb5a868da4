package evolve

import (
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:       "de",
	Doc:        "Differential evolution: steps are differences of members; with adapt: shade it learns how long they should be.",
	Use:        "rugged landscapes with ten thousand evaluations a gene to spend; at the budgets of merges cmaes needs far fewer",
	Cite:       "Storn and Price 1997, Differential Evolution; Zhang and Sanderson 2009, JADE; Tanabe and Fukunaga 2013, SHADE, and 2014, L-SHADE",
	Population: "20 + 2n, at most 100; with adapt: lshade 18n",
	Options: []Option{
		{Name: "strategy", Default: "current-to-pbest", Words: []string{"rand", "best", "current-to-pbest"}, Doc: "what a difference is added to"},
		{Name: "adapt", Default: "shade", Words: []string{"none", "shade", "lshade"}, Doc: "learn f and cr from what succeeded; lshade shrinks the population over the budget, too"},
		{Name: "f", Default: "0.5", Min: 0.01, Max: 2, Doc: "length of a difference, at first"},
		{Name: "cr", Default: "0.9", Min: 0, Max: 1, Doc: "share of coordinates that a trial takes from it, at first"},
		{Name: "p", Default: "0.11", Min: 0, Max: 1, Doc: "share of the members that are best, for current-to-pbest"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		d := &differential{strategy: o.word("strategy"), adapt: o.word("adapt"), p: o.number("p"), budget: o.Evaluations}
		size := min(100, 20+2*len(box))
		if d.adapt == "lshade" {
			size = 18 * len(box)
		}
		set(&o.Population, size)
		d.initial = max(4, o.Population)
		const memory = 6
		d.memF, d.memCR = slices.Repeat([]float64{o.number("f")}, memory), slices.Repeat([]float64{o.number("cr")}, memory)
		return newPopulation("de", d, box, o, d.initial), nil
	},
})

// differential is differential evolution. Members keep their places: trial k replaces
// member k unless that is better.
type differential struct {
	strategy, adapt string
	p               float64
	initial, budget int
	memF, memCR     []float64 // SHADE's memories of what succeeded
	next            int       // the memory to be written
	archive         []Scored[[]float64]
	evaluations     int
}

func (d *differential) fresh() breed             { return &differential{} }
func (d *differential) stop(*population) string  { return "" }
func (d *differential) count(p *population) int  { return len(p.members) }
func (d *differential) archiveSize(size int) int { return int(2.6 * float64(size)) }
func (d *differential) shrinks() bool            { return d.adapt == "lshade" && d.budget > 0 }

// factors are trial k's F and CR: those of a memory, scattered (SHADE, eq. 4 and 5).
func (d *differential) factors(rng *rand.Rand) (f, cr float64) {
	m := rng.IntN(len(d.memF))
	f, cr = d.memF[m], d.memCR[m]
	if d.adapt == "none" {
		return f, cr
	}
	cauchy := f
	for f = 0; f <= 0; {
		f = cauchy + 0.1*math.Tan(math.Pi*(rng.Float64()-0.5))
	}
	if cr >= 0 {
		cr = math.Max(0, math.Min(1, cr+0.1*rng.NormFloat64()))
	}
	return math.Min(f, 1), math.Max(0, cr) // a memory below 0 has ended: CR is 0
}

func (d *differential) child(p *population, rng *rand.Rand, k int) ([]float64, []uint64) {
	f, cr := d.factors(rng)
	m, target := p.members, p.members[k]
	others := rng.Perm(len(m))
	others = slices.DeleteFunc(others, func(i int) bool { return i == k })
	x1, x2, x3 := m[others[0]], m[others[1]], m[others[2]]
	if d.adapt != "none" && len(d.archive) > 0 {
		if i := rng.IntN(len(m) + len(d.archive)); i >= len(m) {
			x2 = d.archive[i-len(m)]
		}
	}
	parents := []uint64{target.ID, x1.ID, x2.ID}
	u := slices.Clone(target.Genome)
	step := func(i int) float64 { return f * (x1.Genome[i] - x2.Genome[i]) }
	var move func(i int) float64
	switch d.strategy {
	case "rand":
		parents = append(parents, x3.ID)
		move = func(i int) float64 { return x3.Genome[i] + step(i) }
	case "best":
		top := best(m, 1)[0]
		parents = append(parents, top.ID)
		move = func(i int) float64 { return top.Genome[i] + step(i) }
	default:
		top := best(m, max(2, int(d.p*float64(len(m)))))
		lead := top[rng.IntN(len(top))]
		parents = append(parents, lead.ID)
		move = func(i int) float64 { return u[i] + f*(lead.Genome[i]-u[i]) + step(i) }
	}
	forced := rng.IntN(len(u))
	old := target.Genome
	for i := range u {
		if rng.Float64() >= cr && i != forced {
			continue
		}
		v := move(i)
		switch { // halfway to the bound that it crosses, as JADE has it
		case v < 0:
			v = old[i] / 2
		case v > 1:
			v = (1 + old[i]) / 2
		}
		u[i] = v
	}
	return u, distinct(parents)
}

// distinct are IDs without repeats, in order.
func distinct(ids []uint64) []uint64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (d *differential) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	d.evaluations += len(told)
	if p.generation == 0 {
		return told
	}
	members := slices.Clone(p.members)
	var w, fs, crs []float64
	for k, s := range told {
		old := members[k]
		if !Better(s, old) && !(s.Value == old.Value && s.tie() == old.tie()) {
			continue
		}
		members[k] = s
		if gain := s.Value - old.Value; gain > 0 || s.tie() > old.tie() {
			f, cr := d.factors(Draws(p.seed, s.ID))
			if math.IsNaN(gain) || math.IsInf(gain, 0) || gain <= 0 {
				gain = 1e-12
			}
			w, fs, crs = append(w, gain), append(fs, f), append(crs, cr)
			old.Items = nil
			d.archive = append(d.archive, old)
		}
	}
	if d.adapt == "none" {
		d.archive = nil
		return members
	}
	d.remember(w, fs, crs)
	if d.shrinks() {
		left := math.Min(1, float64(d.evaluations)/float64(d.budget))
		size := max(4, int(math.Round(float64(d.initial)+left*float64(4-d.initial))))
		if size < len(members) {
			keep := map[uint64]bool{}
			for _, s := range best(members, size) {
				keep[s.ID] = true
			}
			members = slices.DeleteFunc(members, func(s Scored[[]float64]) bool { return !keep[s.ID] })
		}
	}
	rng := Draws(p.seed, mix(p.first))
	for most := d.archiveSize(len(members)); len(d.archive) > most; {
		i := rng.IntN(len(d.archive))
		d.archive = slices.Delete(d.archive, i, i+1)
	}
	return members
}

// remember writes the weighted Lehmer means of what succeeded (L-SHADE, eq. 7).
func (d *differential) remember(w, fs, crs []float64) {
	if len(w) == 0 {
		return
	}
	top := slices.Max(w)
	for i := range w {
		w[i] /= top
	}
	d.memF[d.next] = lehmer(w, fs)
	switch {
	case d.memCR[d.next] < 0 || slices.Max(crs) == 0:
		d.memCR[d.next] = -1
	default:
		d.memCR[d.next] = lehmer(w, crs)
	}
	d.next = (d.next + 1) % len(d.memF)
}

// lehmer is the weighted Lehmer mean Σwx²/Σwx, 0 for zeros.
func lehmer(w, x []float64) float64 {
	var a, b float64
	for i, v := range x {
		a += w[i] * v * v
		b += w[i] * v
	}
	if b == 0 {
		return 0
	}
	return a / b
}

func (d *differential) state(f fields, p *population) {
	f.word("strategy", &d.strategy, "rand", "best", "current-to-pbest")
	f.word("adapt", &d.adapt, "none", "shade", "lshade")
	f.within("p", &d.p, 0, 1)
	f.int("first population", &d.initial, 4, maxPopulation)
	f.int("budget", &d.budget, 0, math.MaxInt)
	count := len(d.memF)
	f.count("memories", &count, 100, 16)
	if f.reading() {
		if count == 0 || p.generation > 0 && len(p.members) < 4 {
			f.fail("too few members or memories")
			return
		}
		d.memF, d.memCR = make([]float64, count), make([]float64, count)
	}
	for i := range d.memF {
		f.within("f", &d.memF[i], 1e-12, 2)
		f.within("cr", &d.memCR[i], -1, 1)
	}
	f.int("memory", &d.next, 0, len(d.memF)-1)
	f.scored("archive", &d.archive, p.n, 3*maxPopulation)
	f.int("evaluations", &d.evaluations, 0, math.MaxInt/2)
}
