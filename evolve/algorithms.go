package evolve

// Settings are what all optimizers of numbers are configured with; each uses
// what applies to it. Zero values are the optimizer's defaults.
type Settings struct {
	// Population is the number of candidates a generation. Default 4 + floor(3 ln n).
	Population int

	// Sigma is the first step size in unit coordinates, in (0, 1]; optimizers
	// without one ignore it. Default 0.25.
	Sigma float64

	// Seed chooses the run.
	Seed uint64
}

// Algorithm is a row of Optimizers.
type Algorithm struct {
	Name string // what a user writes
	Doc  string // one sentence
	Cite string // where it comes from; "" if everybody knows

	// New makes one for the box. The error says which gene or setting is wrong.
	New func(box Box, o Settings) (Optimizer[[]float64], error)
}

// Optimizers lists the optimizers of numbers by name. Help, validation, docs and
// tests read this table and no other.
func Optimizers() []Algorithm {
	return []Algorithm{
		{
			Name: "cmaes",
			Doc:  "CMA-ES with full covariance, active updates and pycma's constants; the default for up to a few hundred genes.",
			Cite: "Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772; Hansen et al., pycma 4.5.0, doi:10.5281/zenodo.2559634",
			New: func(box Box, o Settings) (Optimizer[[]float64], error) {
				c, err := NewCMA(box, CMAOptions{Population: o.Population, Sigma: o.Sigma, Seed: o.Seed})
				if err != nil {
					return nil, err // not c: a nil *CMA in the interface is not nil
				}
				return c, nil
			},
		},
		{
			Name: "random",
			Doc:  "Uniform random search from the start; the baseline to beat.",
			New: func(box Box, o Settings) (Optimizer[[]float64], error) {
				r, err := NewRandom(box, RandomOptions{Population: o.Population, Seed: o.Seed})
				if err != nil {
					return nil, err
				}
				return r, nil
			},
		},
	}
}
