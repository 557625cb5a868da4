package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/recipes"
)

// niched is M2N2 on the segments of a niche merge, whose genomes are their numbers, or
// on networks that begin with random weights.
type niched struct {
	options  evolve.M2N2Options
	crossing niche.Crossing
	gram     *niche.Gram // since open, of models
	scratch  *scratch    // since open, of networks
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
	case err != nil:
	case mutation && r.Init != nil:
		err = errors.New("mutation is of genes: that of networks is init.sigma")
	case mutation:
		err = errors.New("a niche merge of models has no mutation: what it finds is a mix of them")
	case o.Archive < len(r.Models()):
		err = fmt.Errorf("an archive of %d cannot begin with %d models", o.Archive, len(r.Models()))
	}
	if err != nil {
		return nil, r.ErrorAt("search.optimizer", err.Error())
	}
	st.Population = o.InFlight
	return &niched{options: o, crossing: niche.Crossing{
		Split: words["split"] == "on", Straight: words["path"] == "line", Apart: words["angle"] == "side", Chromosomes: f.Flat().Chromosomes,
	}}, nil
}

// open reads the models once, for the products that angles are made of or for their
// weights, and returns the optimizer.
func (n *niched) open(o *opened, like *merge.Spec) (m *evolve.M2N2[[]float64], err error) {
	if init := o.recipe.Init; init != nil {
		if n.scratch, err = newScratch(n.crossing, init.Sigma, o, like); err != nil {
			return nil, err
		}
		return evolve.NewM2N2(n.scratch.Weights, n.options)
	}
	if n.gram, err = niche.Measure(o.family.Flat(), o.parents.Sources()); err != nil {
		return nil, err
	}
	return evolve.NewM2N2(niche.Numbers{Mixes: niche.Mixes{Crossing: n.crossing, Gram: n.gram}}, n.options)
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

// networks are those of a search from scratch, nil for others.
func (n *niched) networks() *scratch {
	if n == nil {
		return nil
	}
	return n.scratch
}

// failed is the error of reading the models again while children are bred.
func (n *niched) failed() error {
	if n == nil || n.gram == nil {
		return nil
	}
	return n.gram.Err()
}

// values are the numbers of the recipe that a genome stands for: of a niche merge the
// genome itself.
func (s *search) values(genome []float64) []float64 {
	if s.niched != nil {
		return genome
	}
	return s.box.Values(genome)
}

// specOf is the merge that a genome stands for.
func (s *search) specOf(genome []float64) (*merge.Spec, error) {
	if n := s.niched.networks(); n != nil {
		return n.spec(genome), nil
	}
	return s.opened.specAt(s.values(genome))
}

// fill is the recipe that a genome stands for. A network is put into a folder of the run,
// "" for its own, under a name by which a file beside it finds it.
func (s *search) fill(genome []float64, folder, name string) (*recipes.Recipe, error) {
	if n := s.niched.networks(); n != nil {
		return n.recipe(s, filepath.Join(s.dir, folder, name), genome)
	}
	return s.opened.fill(s.values(genome))
}

// placed is what fill returned, for a file in that folder.
func (s *search) placed(r *recipes.Recipe, folder string) (*recipes.Recipe, error) {
	if s.niched.networks() != nil {
		return r, nil
	}
	return relocated(r, s.opened, filepath.Join(s.dir, folder))
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
		name := fmt.Sprintf("%02d", i+1)
		r, err := s.fill(c.Genome, "archive", name)
		if err == nil {
			r, err = s.placed(r, "archive")
		}
		if err != nil {
			return err
		}
		if err := s.store.WriteFile("archive/"+name+".yaml", r.Marshal()); err != nil {
			return err
		}
	}
	v.say("the archive's %s, best first, are recipes in %s/archive; together they know %.1f %% of the examples", count(len(list), "member"), s.dir, 100*m.Diversity().Coverage)
	return nil
}
