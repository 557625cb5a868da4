package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
	"github.com/mergevo/mergevo/tensors"
)

// niched is M2N2 on the segments of a niche merge, whose genomes are their numbers.
type niched struct {
	options evolve.M2N2Options
	mixes   niche.Mixes // without products before measure
}

// newNiched reads the settings of a niche merge's search, and fills in their defaults;
// nil for other recipes.
func newNiched(r *recipes.Recipe, f *recipes.Family, st *settings) (*niched, error) {
	if f.Flat() == nil {
		return nil, nil
	}
	_, mutation := st.Options["mutation"]
	o, words, err := evolve.M2N2Settings(st.optimizerSettings(r.Search))
	switch {
	case err == nil && mutation:
		err = errors.New("a niche merge of models has no mutation: what it finds is a mix of them")
	case err == nil && o.Archive < len(r.Models()):
		err = fmt.Errorf("an archive of %d cannot begin with %d models", o.Archive, len(r.Models()))
	}
	if err != nil {
		return nil, r.ErrorAt("search.optimizer", err.Error())
	}
	st.Population = o.InFlight
	return &niched{options: o, mixes: niche.Mixes{Crossing: niche.Crossing{
		Split: words["split"] == "on", Straight: words["path"] == "line", Apart: words["angle"] == "side", Chromosomes: f.Flat().Chromosomes,
	}}}, nil
}

// measure reads the models once, for the products that angles are made of, and returns
// the optimizer.
func (n *niched) measure(f *recipes.Family, models []tensors.Source) (*evolve.M2N2[[]float64], error) {
	gram, err := niche.Measure(f.Flat(), models)
	if err != nil {
		return nil, err
	}
	n.mixes.Gram = gram
	return evolve.NewM2N2(niche.Numbers{Mixes: n.mixes}, n.options)
}

// refuse refuses what a search without genes cannot do.
func (n *niched) refuse(o searchOptions) error {
	switch hint := "\nhint: search the same models with holes"; {
	case n == nil:
	case len(o.baseline) > 0:
		return usage(errors.New("--baseline: other optimizers need genes, and a niche merge has none" + hint + ", with the same budget"))
	case o.prior != "":
		return usage(errors.New("--prior: a niche merge has no genes to begin with" + hint))
	}
	return nil
}

// failed is the error of reading the models again while children are bred.
func (n *niched) failed() error {
	if n == nil {
		return nil
	}
	return n.mixes.Gram.Err()
}

// values are the numbers of the recipe that a genome stands for: of a niche merge the
// genome itself.
func (s *search) values(genome []float64) []float64 {
	if s.niched != nil {
		return genome
	}
	return s.box.Values(genome)
}

// members writes the recipe of each member of an archive of niche merges.
func (s *search) members(v *voice) error {
	m, ok := s.optimizer.(*evolve.M2N2[[]float64])
	if !ok {
		return nil
	}
	list := m.Members()
	evolve.Rank(list)
	for i, c := range list {
		filled, err := s.opened.family.Fill(c.Genome)
		if err != nil {
			return err
		}
		r, err := relocated(filled, s.opened, s.dir+"/archive")
		if err != nil {
			return err
		}
		if err := s.store.WriteFile(fmt.Sprintf("archive/%02d.yaml", i+1), r.Marshal()); err != nil {
			return err
		}
	}
	v.say("the archive's %s, best first, are recipes in %s/archive; together they know %.1f %% of the examples", count(len(list), "member"), s.dir, 100*m.Diversity().Coverage)
	return nil
}

// held are generations that are scored and not stored yet. A steady search, whose
// generations are a candidate or a few, would spend its time on storing them; what is
// lost with the process is scored again, to the same end.
type held struct {
	steady      bool
	generations []runs.Generation
	candidates  int
	since       time.Time
}

// Candidates and time that are held at most.
const (
	heldCandidates = 64
	heldTime       = 250 * time.Millisecond
)

// add reports whether all should be stored now.
func (h *held) add(g runs.Generation) bool {
	if len(h.generations) == 0 {
		h.since = time.Now()
	}
	h.generations = append(h.generations, g)
	h.candidates += len(g.Candidates)
	return !h.steady || h.candidates >= heldCandidates || time.Since(h.since) >= heldTime
}

// store puts what is held into the run, with the optimizer's state.
func (h *held) store(run *runs.Run, o evolve.Optimizer[[]float64]) error {
	if len(h.generations) == 0 {
		return nil
	}
	told := len(h.generations) - 1
	if !h.generations[told].Told {
		told-- // the budget cut the last one
	}
	if told >= 0 {
		state, err := o.MarshalBinary()
		if err != nil {
			return err
		}
		h.generations[told].State = state
	}
	err := run.Append(h.generations...)
	*h = held{steady: h.steady}
	return err
}
