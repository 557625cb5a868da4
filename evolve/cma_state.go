package evolve

import "math"

const (
	cmaKind    = "evolve/cmaes"
	cmaVersion = 4
)

// MarshalBinary implements Optimizer. The size is about 12n² bytes, 40n with a
// separable covariance.
func (c *CMA) MarshalBinary() ([]byte, error) {
	return marshal(cmaKind, cmaVersion, func(f fields) { c.state(f, 0) })
}

// UnmarshalBinary implements Optimizer.
func (c *CMA) UnmarshalBinary(data []byte) error {
	n := 0
	if c.dist != nil {
		n = c.dist.n
	}
	var s CMA
	if err := unmarshal(data, cmaKind, cmaVersion, func(f fields) { s.state(f, n) }); err != nil {
		return err
	}
	*c = s
	return nil
}

// state is for n genes, any number for 0.
func (c *CMA) state(f fields, n int) {
	o := &c.options
	if f.reading() {
		c.dist, c.margin = &distribution{}, &margin{}
	}
	d := c.dist
	genes := d.n
	f.genes(&genes, n)
	f.int("population", &o.Population, 2, maxPopulation)
	f.bool("free", &o.Free)
	f.float(&o.Sigma)
	f.uint(&o.Seed)
	o.lasting(f)
	f.int("maxiter", &o.MaxIter, math.MinInt, math.MaxInt)
	f.asked(&c.asked)
	if f.reading() && f.ok() {
		if err := o.validate(); err != nil {
			f.fail("%v", err)
		}
	}
	if !f.ok() {
		return
	}
	if f.reading() {
		d.strategy, d.maxStd = o.strategy(genes), o.widest()
	}
	d.state(f)
	c.margin.state(f, d)
	c.history.state(f, genes, d.updates)
	c.noise.state(f, genes, o.Population)
	count := len(c.inject)
	f.count("injected", &count, o.Population, 8*genes)
	if f.reading() && count > 0 {
		c.inject = make([][]float64, count)
	}
	for k := range c.inject {
		f.point("injected", &c.inject[k], genes, o.Free)
	}
}

// lasting are the options that a restart keeps.
func (o *CMAOptions) lasting(f fields) {
	f.covariance(&o.Covariance)
	f.bool("passive", &o.Passive)
	f.bool("noise", &o.Noise)
	f.bool("rated", &o.Rated)
	f.within("penalty", &o.Penalty, 0, maxPenalty)
	for _, tol := range o.tolerances() {
		f.float(tol)
	}
	f.int("tolstagnation", &o.TolStagnation, math.MinInt, math.MaxInt)
	f.int("maxflat", &o.MaxFlat, math.MinInt, math.MaxInt)
}

func (o *CMAOptions) tolerances() []*float64 {
	return []*float64{&o.TolX, &o.TolFun, &o.TolFunHist, &o.TolFunRel, &o.TolXStagnation, &o.TolFacUpX, &o.TolUpSigma, &o.TolConditionCov}
}

func (f fields) covariance(c *Covariance) {
	all := []Covariance{Decoded, Full, Separable, Linear}
	i := 0
	for k, v := range all {
		if v == *c {
			i = k
		}
	}
	f.int("covariance", &i, 0, len(all)-1)
	*c = all[i]
}

// point has a point of the unit cube, or of all of ℝⁿ.
func (f fields) point(name string, x *[]float64, n int, free bool) {
	if free {
		f.vector(name, x, n)
	} else {
		f.unit(name, x, n)
	}
}

// positive has n numbers above 0.
func (f fields) positive(name string, x *[]float64, n int) {
	f.vector(name, x, n)
	if f.reading() {
		for _, v := range *x {
			if v <= 0 {
				f.fail("%s is %v", name, v)
			}
		}
	}
}

// state has what the strategy does not say.
func (d *distribution) state(f fields) {
	n := d.n
	one := func(name string, x *float64) {
		f.float(x)
		if f.reading() && (!(*x > 0) || math.IsInf(*x, 0)) {
			f.fail("%s is %v", name, *x)
			*x = 1
		}
	}
	f.vector("mean", &d.mean, n)
	one("step size", &d.sigma)
	one("first step size", &d.sigma0)
	one("moved", &d.moved)
	f.positive("scale", &d.scale, n)
	f.vector("pc", &d.pc, n)
	f.vector("ps", &d.ps, n)
	f.int("updates", &d.updates, 0, math.MaxInt32)
	if d.separable {
		return
	}
	if d.rated {
		if f.reading() {
			d.rates = &learningRates{}
		}
		d.rates.state(f, n)
	}
	if d.c1Scale > 0 {
		f.vector("path of the scales", &d.scalePath, n)
		one("beta", &d.beta)
	}
	f.int("decomposed", &d.decomposed, 0, d.updates)
	var upper []float64
	if !f.reading() {
		for i := range n {
			upper = append(upper, d.cov[i*n+i:(i+1)*n]...)
		}
	}
	f.vector("covariance", &upper, n*(n+1)/2)
	f.vector("basis", &d.basis, n*n) // not recomputed from C, which may have changed since
	f.positive("axes", &d.axes, n)
	if !f.reading() || !f.ok() {
		return
	}
	d.cov = make([]float64, n*n)
	for i := range n {
		if d.factored() && !(d.basis[i*n+i] > 0) {
			f.fail("pivot %d is %v", i, d.basis[i*n+i])
		}
		for j := i; j < n; j++ {
			d.cov[i*n+j], d.cov[j*n+i] = upper[0], upper[0]
			upper = upper[1:]
		}
		if d.cov[i*n+i] <= 0 {
			f.fail("variance %d is %v", i, d.cov[i*n+i])
		}
	}
}

func (m *margin) state(f fields, d *distribution) {
	count := len(m.lattices)
	f.count("lattices", &count, d.n, 40)
	if f.reading() {
		*m = *newMargin(d.strategy)
		m.lattices = make([]lattice, count)
	}
	last := -1
	for k := range m.lattices {
		l := &m.lattices[k]
		f.int("lattice", &l.gene, last+1, d.n-1)
		last = l.gene
		f.within("lowest value", &l.low, 0, 1)
		f.within("step", &l.step, 1e-9, 1)
		f.int("values", &l.size, 2, 1<<21)
		f.within("stretch", &l.stretch, math.SmallestNonzeroFloat64, math.MaxFloat64)
	}
}

func (h *cmaHistory) state(f fields, n, updates int) {
	f.int("generations", &h.generations, updates, math.MaxInt32)
	f.floats("best", &h.best, math.MaxInt32)
	f.floats("sparse best", &h.sparseBest, sparseLimit)
	f.floats("sparse median", &h.sparseMed, sparseLimit)
	f.float(&h.spread)
	f.int("flat", &h.flat, 0, h.generations)
	f.float(&h.median)
	f.float(&h.leastMedian)
	f.int("anchored", &h.anchorAt, 0, h.generations)
	if h.anchorAt > 0 {
		f.vector("anchor", &h.anchor, n)
	}
	f.float(&h.record)
	f.int("record", &h.recordAt, 0, h.generations)
	if len(h.sparseMed) != len(h.sparseBest) {
		f.fail("its histories differ in length")
	}
}
