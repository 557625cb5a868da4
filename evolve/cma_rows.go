package evolve

var (
	_ = row(cmaRow("cmaes", Decoded,
		"CMA-ES with full covariance, active updates, pycma's constants and diagonal decoding.",
		"up to a few hundred numbers; the default",
		"; Akimoto and Hansen 2020, Diagonal Acceleration for CMA-ES, Evolutionary Computation 28(3)"))
	_ = row(cmaRow("cmaes-plain", Full,
		"CMA-ES as pycma runs it by default: no diagonal decoding.",
		"to compare with pycma; cmaes needs fewer evaluations",
		""))
	_ = row(cmaRow("sep-cmaes", Separable,
		"CMA-ES that learns a variance a gene, and no correlations.",
		"hundreds to thousands of numbers which do not depend on each other much",
		"; Ros and Hansen 2008, A Simple Modification in CMA-ES"))
)

func cmaRow(name string, c Covariance, doc, use, cite string) Algorithm {
	options := []Option{activeOption, noiseOption, penaltyOption}
	switch c {
	case Full:
		options = append(options, ratesOption)
	case Separable:
		options = append(options, updateOption)
	}
	return Algorithm{
		Name: name, Doc: doc, Use: use,
		Cite:       "Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772; Hansen et al., pycma 4.5.0, doi:10.5281/zenodo.2559634" + cite,
		Population: "4 + floor(3 ln n)",
		Options:    append(options, restartOptions...),
		Free:       true,
		New: func(box Box, o Settings) (Optimizer[[]float64], error) {
			c := c
			if o.word("update") == "linear" {
				c = Linear
			}
			return restarted(box, o, CMAOptions{
				Population: o.Population, Sigma: o.Sigma, Seed: o.Seed, Covariance: c,
				Passive: o.word("active") == "off", Noise: o.word("noise") == "on", Penalty: o.number("penalty"),
				Rated: o.word("learning_rate") == "adapted", Start: o.Start, Free: o.Free, Inject: o.Inject, Prior: o.Prior,
			})
		},
	}
}

var activeOption = Option{Name: "active", Default: "on", Words: []string{"on", "off"}, Doc: "learn from bad candidates too"}

var ratesOption = Option{Name: "learning_rate", Default: "fixed", Words: []string{"fixed", "adapted"}, Doc: "adapted: smaller while steps are mostly noise, for scores with many hills (Nomura, Akimoto and Ono 2023, arXiv:2304.03473)"}

var penaltyOption = Option{Name: "penalty", Default: "0", Max: maxPenalty, Doc: "what samples behind the bounds, which are folded back, lose: in interquartile ranges of the scores, for the squared distance in widths of the bounds; 0 as in pycma"}

var updateOption = Option{Name: "update", Default: "exponential", Words: []string{"exponential", "linear"}, Doc: "how variances learn: exponential as in pycma, linear as Ros and Hansen have it and the package cmaes, which never learns from bad candidates"}

var noiseOption = Option{Name: "noise", Default: "off", Words: []string{"on", "off"}, Doc: "score some candidates twice, for scores that differ from time to time: those of mergevo's tasks do not"}
