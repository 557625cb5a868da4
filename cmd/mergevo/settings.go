package main

import (
	"context"
	"slices"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/recipes"
)

// settings are what a run was configured with once every default is filled in.
type settings struct {
	Optimizer  string  `json:"optimizer"`
	Population int     `json:"population"`
	Sigma      float64 `json:"sigma,omitempty"`
	// Options are the optimizer's own.
	Options     map[string]string `json:"options,omitempty"`
	Seed        uint64            `json:"seed"`
	Evaluations int               `json:"evaluations,omitempty"`
	Time        string            `json:"time,omitempty"`
	// Prior is the run that --prior named.
	Prior string `json:"prior,omitempty"`
	// Missing is what --allow-missing said.
	Missing string `json:"allow_missing,omitempty"`
	// Box is kept to read genomes without the models.
	Box evolve.Box `json:"box,omitempty"`

	prior  *prior
	memory memoryFlags
}

// settingsOf are a recipe's own; the optimizer fills in the defaults.
func settingsOf(s *recipes.Search) settings {
	return settings{Optimizer: s.Optimizer.Name, Population: s.Optimizer.Population, Sigma: s.Optimizer.Sigma, Options: s.Optimizer.Options, Evaluations: s.Evaluations}
}

// optimizerSettings are those of the search, for an optimizer of any name.
func (st settings) optimizerSettings(r *recipes.Search) evolve.Settings {
	return evolve.Settings{
		Population: st.Population, Sigma: st.Sigma, Seed: st.Seed, Options: st.Options,
		Evaluations: st.Evaluations, Objectives: len(r.Pareto), Descriptors: len(r.Descriptors),
		Negative: slices.ContainsFunc(r.Tasks, func(t recipes.Task) bool { return evaluate.Negative(t.Metric) }),
	}
}

// newOptimizer makes the optimizer of the settings, filling in its defaults.
func newOptimizer(r *recipes.Recipe, box evolve.Box, st *settings, from *proposals) (evolve.Optimizer[[]float64], error) {
	a, _ := evolve.LookupOptimizer(st.Optimizer) // the recipe was read: there is one
	o := st.optimizerSettings(r.Search)
	o.Proposer = from.propose
	st.prior.start(&o)
	opt, err := a.New(box, o)
	if err != nil {
		return nil, r.ErrorAt("search.optimizer", err.Error())
	}
	first, err := opt.Ask(context.Background())
	if err != nil {
		return nil, err
	}
	st.Population = len(first)
	return opt, nil
}
