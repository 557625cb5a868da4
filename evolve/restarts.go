package evolve

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// RestartOptions says when and how CMA-ES begins again once it stops.
type RestartOptions struct {
	// Kind is "ipop" (Auger and Hansen 2005), which doubles the population each
	// time, or "bipop" (Hansen 2009), which spends as much on small populations and
	// small steps in between.
	Kind string

	// Max is the number of restarts, in bipop of those with a large population.
	// Default 9.
	Max int

	// Lo and Hi bound the starts after the first, which are uniform between them;
	// points of the unit cube, of ℝⁿ for a free search. Default all of the cube.
	Lo, Hi []float64
}

var restartOptions = []Option{
	{Name: "restarts", Default: "none", Words: []string{"none", "ipop", "bipop"}, Doc: "begin again once it has converged: with twice the population each time (ipop), in turns with small ones (bipop)"},
	{Name: "max_restarts", Default: "9", Min: 1, Max: 30, Int: true, Doc: "how often, in bipop with a large population"},
}

// restarted makes the CMA-ES of settled settings, with restarts if they ask for them.
func restarted(box Box, o Settings, c CMAOptions) (Optimizer[[]float64], error) {
	kind := o.word("restarts")
	if kind == "none" {
		return NewCMA(box, c)
	}
	r := RestartOptions{Kind: kind, Max: o.whole("max_restarts"), Lo: o.RestartLo, Hi: o.RestartHi}
	if o.Free && r.Lo == nil {
		r.Lo, r.Hi = o.Start, o.Start
	}
	return NewRestarts(box, c, r)
}

// Restarts runs CMA-ES again and again, as pycma's fmin2 does with its restarts and
// bipop. It stops when the last run does.
type Restarts struct {
	options RestartOptions
	base    CMAOptions // of the first run
	inner   *CMA
	before  uint64 // candidates of the runs before this one

	runs         int  // this one included
	small        bool // this one counts as small
	smallRuns    int
	evaluations  int    // of this run
	spent        [2]int // by the large and by the small runs before
	maxIter, num int    // of the first run: generations at most, and candidates a generation
}

// NewRestarts returns a search of the box.
func NewRestarts(box Box, c CMAOptions, o RestartOptions) (*Restarts, error) {
	if o.Kind != "ipop" && o.Kind != "bipop" {
		return nil, fmt.Errorf("restarts %q are neither ipop nor bipop", o.Kind)
	}
	set(&o.Max, 9)
	inner, err := NewCMA(box, c)
	if err != nil {
		return nil, err
	}
	if o.Lo == nil {
		o.Lo, o.Hi = make([]float64, len(box)), make([]float64, len(box))
		for i := range o.Hi {
			o.Hi[i] = 1
		}
	}
	if len(o.Lo) != len(box) || len(o.Hi) != len(box) {
		return nil, errors.New("the bounds of restarts need a number a gene")
	}
	r := &Restarts{options: o, base: inner.options, inner: inner, runs: 1, small: o.Kind == "bipop"}
	r.maxIter, r.num = inner.options.MaxIter, inner.options.Population
	if r.small {
		r.smallRuns = 1
	}
	return r, nil
}

// Ask implements Optimizer.
func (r *Restarts) Ask(ctx context.Context) ([]Candidate[[]float64], error) {
	pop, err := r.inner.Ask(ctx)
	for i := range pop {
		pop[i].ID += r.before
	}
	return pop, err
}

// Tell implements Optimizer.
func (r *Restarts) Tell(told []Scored[[]float64]) error {
	own := append([]Scored[[]float64](nil), told...)
	for i := range own {
		if own[i].ID <= r.before {
			return fmt.Errorf("candidate %d is of an earlier run: %w", own[i].ID, ErrNotAsked)
		}
		own[i].ID -= r.before
	}
	if err := r.inner.Tell(own); err != nil {
		return err
	}
	r.evaluations += len(told)
	if r.inner.Stop() != "" && r.left() {
		r.restart()
	}
	return nil
}

// left reports whether there may be another run.
func (r *Restarts) left() bool {
	return r.runs-r.smallRuns <= r.options.Max-b2i(r.options.Kind == "bipop")
}

// restart begins the next run, as pycma 4.5 chooses it.
func (r *Restarts) restart() {
	r.spent[b2i(r.small)] += r.evaluations
	r.before += r.inner.first - 1
	r.evaluations = 0
	r.runs++
	rng := Draws(r.base.Seed, mix(uint64(r.runs)))
	o := r.base
	o.Seed = mix(r.base.Seed ^ mix(uint64(r.runs)))
	large := r.runs - 1 - r.smallRuns // large runs before this one
	r.small = r.options.Kind == "bipop" && r.spent[1] < max(1, r.spent[0])
	if r.small {
		r.smallRuns++
		u := rng.Float64()
		o.Population = max(2, int(float64(r.num)*math.Pow(2, float64(large)*u*u)))
		o.Sigma = r.base.Sigma * math.Pow(0.01, rng.Float64())
		o.MaxIter = max(1, min(r.maxIter, r.spent[0]/2/o.Population))
	} else {
		if r.options.Kind == "bipop" {
			large++
		}
		o.Population = min(maxPopulation, r.num<<large)
		o.MaxIter = 0
	}
	o.TolStagnation = 0
	if r.base.TolStagnation < 0 {
		o.TolStagnation = r.base.TolStagnation
	}
	n := len(r.options.Lo)
	start := make([]float64, n)
	for i := range start {
		start[i] = r.options.Lo[i] + rng.Float64()*(r.options.Hi[i]-r.options.Lo[i])
	}
	r.inner = r.inner.again(start, o)
}

// again is a new search of the same box.
func (c *CMA) again(start []float64, o CMAOptions) *CMA {
	n := c.dist.n
	o = o.withDefaults(n)
	s := o.strategy(n)
	fresh := &CMA{options: o, dist: newDistribution(s, o.unfold(start), o.Sigma, o.widest()), margin: newMargin(s), asked: asked{first: 1}}
	for _, l := range c.margin.lattices {
		fresh.margin.add(l)
		fresh.dist.mean[l.gene] = start[l.gene]
	}
	return fresh
}

// Stop implements Optimizer: the reasons of the last run.
func (r *Restarts) Stop() string { return r.inner.Stop() }

// Center implements Centered.
func (r *Restarts) Center() ([]float64, bool) { return r.inner.Center() }

const (
	restartsKind    = "evolve/restarts"
	restartsVersion = 1
)

// MarshalBinary implements Optimizer.
func (r *Restarts) MarshalBinary() ([]byte, error) {
	return marshal(restartsKind, restartsVersion, func(f fields) { r.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (r *Restarts) UnmarshalBinary(data []byte) error {
	var s Restarts
	if err := unmarshal(data, restartsKind, restartsVersion, func(f fields) { s.state(f, len(r.options.Lo)) }); err != nil {
		return err
	}
	*r = s
	return nil
}

func (r *Restarts) state(f fields, n int) {
	genes := len(r.options.Lo)
	f.genes(&genes, n)
	bipop := r.options.Kind == "bipop"
	f.bool("bipop", &bipop)
	r.options.Kind = "ipop"
	if bipop {
		r.options.Kind = "bipop"
	}
	f.int("restarts", &r.options.Max, 1, 30)
	o := &r.base
	f.bool("free", &o.Free)
	f.point("lowest start", &r.options.Lo, genes, o.Free)
	f.point("highest start", &r.options.Hi, genes, o.Free)
	f.uint(&r.before)
	f.int("runs", &r.runs, 1, 1<<20)
	f.bool("small", &r.small)
	f.int("small runs", &r.smallRuns, 0, r.runs)
	f.int("evaluations", &r.evaluations, 0, math.MaxInt)
	f.int("spent on large", &r.spent[0], 0, math.MaxInt)
	f.int("spent on small", &r.spent[1], 0, math.MaxInt)
	f.int("generations", &r.maxIter, math.MinInt, math.MaxInt)
	f.int("first population", &r.num, 2, maxPopulation)
	f.within("sigma", &o.Sigma, 1e-300, 1e300)
	f.uint(&o.Seed)
	o.lasting(f)
	if f.reading() {
		r.inner = &CMA{}
		if !f.ok() {
			return
		}
	}
	r.inner.state(f, genes)
	if f.reading() && r.before > math.MaxInt64 {
		f.fail("%d candidates before this run", r.before)
	}
}
