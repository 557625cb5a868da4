package evolve

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

var _ = row(Algorithm{
	Name:        "novelty",
	Doc:         "Novelty search: keeps what is unlike everything seen, by descriptors, whatever it scores.",
	Use:         "to see what merges of some models can be like at all; with local: on, good ones among their like",
	Cite:        "Lehman and Stanley 2011, Abandoning Objectives, Evolutionary Computation 19(2), and Evolving a Diversity of Virtual Creatures through Novelty Search and Local Competition, GECCO",
	Population:  "40",
	Descriptors: true,
	Options: []Option{
		{Name: "neighbours", Default: "15", Min: 1, Max: 1000, Int: true, Doc: "how many of the nearest novelty is the mean distance to"},
		{Name: "local", Default: "off", Words: []string{"on", "off"}, Doc: "also ask how many of these it beats"},
	},
	New: func(box Box, o Settings) (Optimizer[[]float64], error) {
		set(&o.Population, 40)
		v := &novelty{size: o.Population, neighbours: o.whole("neighbours"), local: o.word("local") == "on", sigma: o.Sigma / 5, dims: min(o.Descriptors, 16), threshold: 0.1}
		return newPopulation("novelty", v, box, o, o.Population), nil
	},
})

// novelty breeds from those whose descriptors are far from all others'. Its archive has
// every candidate that was novel beyond a threshold, which falls while none is.
type novelty struct {
	size, neighbours, dims int
	local                  bool
	sigma, threshold       float64
	barren                 int // generations in a row that added nothing
	archive                []Scored[[]float64]
	merit                  []float64 // of the members, in their order
}

// What the archive holds at most, and how its threshold moves: ribs' and the papers' use.
const (
	noveltyLimit = 2000
	noveltyDecay = 0.95
)

func (v *novelty) fresh() breed            { return &novelty{} }
func (v *novelty) stop(*population) string { return "" }
func (v *novelty) count(*population) int   { return v.size }

func (v *novelty) child(p *population, rng *rand.Rand, _ int) ([]float64, []uint64) {
	pick := func() int {
		a, b := rng.IntN(len(p.members)), rng.IntN(len(p.members))
		if v.merit[b] > v.merit[a] {
			return b
		}
		return a
	}
	a, b := p.members[pick()], p.members[rng.IntN(len(p.members))]
	step := lineWidth * rng.NormFloat64()
	u := make([]float64, p.n)
	for i := range u {
		u[i] = bounce(a.Genome[i] + v.sigma*rng.NormFloat64() + step*(b.Genome[i]-a.Genome[i]))
	}
	return u, distinct([]uint64{a.ID, b.ID})
}

// like are a candidate's descriptors, all of the same number, NaN as 0.
func (v *novelty) like(s Scored[[]float64]) []float64 {
	d := make([]float64, v.dims)
	copy(d, descriptorsOf(s, v.dims))
	for i, x := range d {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			d[i] = 0
		}
	}
	return d
}

// of is a candidate's novelty among others, of whom likes are the descriptors, and the
// share of its neighbours it beats.
func (v *novelty) of(s Scored[[]float64], others []Scored[[]float64], likes [][]float64) (far, beats float64) {
	type neighbour struct{ distance, beaten float64 }
	var near []neighbour // the nearest so far, in ascending order
	x := v.like(s)
	for k, o := range others {
		if o.ID == s.ID {
			continue
		}
		d := 0.0
		for i, y := range likes[k] {
			d += (x[i] - y) * (x[i] - y)
		}
		if d = math.Sqrt(d); len(near) == v.neighbours && d >= near[len(near)-1].distance {
			continue
		}
		at, _ := slices.BinarySearchFunc(near, d, func(n neighbour, d float64) int {
			if n.distance <= d {
				return -1 // after its equals
			}
			return 1
		})
		near = slices.Insert(near, at, neighbour{d, float64(b2i(Better(s, o)))})
		near = near[:min(len(near), v.neighbours)]
	}
	for _, n := range near {
		far += n.distance / float64(len(near))
		beats += n.beaten / float64(len(near))
	}
	return far, beats
}

func (v *novelty) survive(p *population, told []Scored[[]float64]) []Scored[[]float64] {
	pool := append(slices.Clone(p.members), told...)
	others := append(slices.Clone(v.archive), pool...)
	likes := make([][]float64, len(others))
	for i, o := range others {
		likes[i] = v.like(o)
	}
	merit := map[uint64]float64{}
	added := false
	for _, s := range pool {
		if s.Failed() {
			merit[s.ID] = -1
			continue
		}
		far, beats := v.of(s, others, likes)
		if merit[s.ID] = far; v.local {
			merit[s.ID] += beats * math.Sqrt(float64(v.dims)) // as much as the largest distance
		}
		if far > v.threshold && len(v.archive) < noveltyLimit && s.ID >= p.first {
			s.Items, s.Objectives, s.Parents = nil, nil, nil
			v.archive, added = append(v.archive, s), true
		}
	}
	if v.barren++; added {
		v.barren = 0
	}
	if v.barren > 2 {
		v.threshold *= noveltyDecay
	}
	slices.SortStableFunc(pool, func(a, b Scored[[]float64]) int {
		return cmp.Or(cmp.Compare(merit[b.ID], merit[a.ID]), cmp.Compare(a.ID, b.ID))
	})
	members := pool[:min(len(pool), v.size)]
	v.merit = nil
	for i := range members {
		members[i].Items = nil
		v.merit = append(v.merit, merit[members[i].ID])
	}
	return members
}

func (v *novelty) state(f fields, p *population) {
	f.int("size", &v.size, 1, maxPopulation)
	f.int("neighbours", &v.neighbours, 1, 1000)
	f.int("descriptors", &v.dims, 1, 16)
	f.bool("local", &v.local)
	f.within("sigma", &v.sigma, 0, 1)
	f.within("threshold", &v.threshold, 0, 1)
	f.int("barren", &v.barren, 0, math.MaxInt32)
	f.scored("archive", &v.archive, p.n, noveltyLimit)
	f.floats("merit", &v.merit, maxPopulation)
	if f.ok() && len(v.merit) != len(p.members) {
		f.fail("%d merits of %d members", len(v.merit), len(p.members))
	}
}
