package evolve

import "math"

const (
	cmaKind    = "evolve/cmaes"
	cmaVersion = 1
)

// MarshalBinary implements Optimizer. The size is about 12n² bytes.
func (c *CMA) MarshalBinary() ([]byte, error) {
	w := newSnapshot(cmaKind, cmaVersion)
	o, d, h := c.options, c.dist, c.history
	w.int(d.n)
	w.int(o.Population)
	w.float(o.Sigma)
	w.uint(o.Seed)
	for _, tol := range [...]float64{o.TolX, o.TolFun, o.TolFunHist, o.TolFacUpX, o.TolUpSigma, o.TolConditionCov} {
		w.float(tol)
	}
	w.int(o.TolStagnation)
	w.int(o.MaxFlat)
	w.int(o.MaxIter)

	w.uint(c.first)
	w.bool(c.out)

	w.floats(d.mean)
	w.float(d.sigma)
	w.float(d.moved)
	w.floats(d.scale)
	upper := make([]float64, 0, d.n*(d.n+1)/2)
	for i := range d.n {
		upper = append(upper, d.cov[i*d.n+i:(i+1)*d.n]...)
	}
	w.floats(upper)
	w.floats(d.basis) // not recomputed from C, which may have changed since
	w.floats(d.axes)
	w.floats(d.pc)
	w.floats(d.ps)
	w.int(d.updates)
	w.int(d.decomposed)

	w.int(h.generations)
	w.floats(h.best)
	w.floats(h.sparseBest)
	w.floats(h.sparseMed)
	w.float(h.spread)
	w.int(h.flat)
	w.float(h.record)
	w.int(h.recordAt)
	return w.bytes(), nil
}

// UnmarshalBinary implements Optimizer.
func (c *CMA) UnmarshalBinary(data []byte) error {
	r := readSnapshot(data, cmaKind, cmaVersion)
	var s CMA
	n := r.int("genes", 1, maxGenes)
	if c.dist != nil && n != c.dist.n {
		r.fail("it is for %d genes, not %d", n, c.dist.n)
	}
	o := &s.options
	o.Population = r.int("population", 2, maxPopulation)
	o.Sigma = r.positive("sigma")
	o.Seed = r.uint()
	for _, tol := range [...]*float64{&o.TolX, &o.TolFun, &o.TolFunHist, &o.TolFacUpX, &o.TolUpSigma, &o.TolConditionCov} {
		*tol = r.float()
	}
	o.TolStagnation = r.int("tolstagnation", math.MinInt, math.MaxInt)
	o.MaxFlat = r.int("maxflat", math.MinInt, math.MaxInt)
	o.MaxIter = r.int("maxiter", math.MinInt, math.MaxInt)
	s.first = r.uint()
	s.out = r.bool("out")
	if r.err == nil {
		if s.first == 0 {
			r.fail("candidate IDs start at 0")
		} else if err := o.validate(); err != nil {
			r.fail("%v", err)
		}
	}

	d := &distribution{sigma0: o.Sigma, maxStd: maxStd}
	d.mean = r.vector("mean", n, r.finite)
	d.sigma = r.positive("step size")
	d.moved = r.positive("moved")
	d.scale = r.vector("scale", n, r.positive)
	upper := r.vector("covariance", n*(n+1)/2, r.finite)
	d.basis = r.vector("basis", n*n, r.finite)
	d.axes = r.vector("axes", n, r.positive)
	d.pc = r.vector("pc", n, r.finite)
	d.ps = r.vector("ps", n, r.finite)
	d.updates = r.int("updates", 0, math.MaxInt32)
	d.decomposed = r.int("decomposed", 0, d.updates)

	h := &s.history
	h.generations = r.int("generations", d.updates, math.MaxInt32)
	h.best = r.floats("best", math.MaxInt32)
	h.sparseBest = r.floats("sparse best", sparseLimit)
	h.sparseMed = r.floats("sparse median", sparseLimit)
	h.spread = r.float()
	h.flat = r.int("flat", 0, h.generations)
	h.record = r.float()
	h.recordAt = r.int("record", 0, h.generations)
	if len(h.sparseMed) != len(h.sparseBest) {
		r.fail("its histories differ in length")
	}
	if err := r.end(); err != nil {
		return err
	}

	d.strategy = newStrategy(n, o.Population)
	d.cov = make([]float64, n*n)
	for i := range n {
		for j := i; j < n; j++ {
			d.cov[i*n+j], d.cov[j*n+i] = upper[0], upper[0]
			upper = upper[1:]
		}
		if d.cov[i*n+i] <= 0 {
			r.fail("variance %d is %v", i, d.cov[i*n+i])
			return r.err
		}
	}
	s.dist = d
	*c = s
	return nil
}
