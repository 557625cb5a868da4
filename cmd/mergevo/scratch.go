package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/runs"
	"github.com/mergevo/mergevo/tensors"
)

// newborn writes the networks of a recipe's init block into folders of dir, and returns
// where each is, by its reference. The recipe's seed says their weights.
func newborn(r *recipes.Recipe, dir string) (map[string]string, error) {
	m, err := models.Parse(r.Init.Config, nil)
	if err != nil {
		return nil, r.ErrorAt("init", err.Error())
	}
	f, err := r.Bind(m.Tensors)
	if err != nil {
		return nil, err
	}
	flat := f.Flat()
	at := map[string]string{}
	first := niche.Scratch(niche.Crossing{}, r.Seed(), int(flat.Len()), r.Init.Count, r.Init.Sigma)
	for k, weights := range first.First {
		ref := recipes.InitRef(k)
		at[ref] = filepath.Join(dir, ref)
		if err := writeNetwork(at[ref], r.Init.Config, m.Tensors, flat, weights); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// writeNetwork writes a network's folder, complete or not at all; one that is there is
// replaced.
func writeNetwork(dir string, config []byte, infos []tensors.Info, f *niche.Flat, weights []float32) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	w, err := tensors.Create(dir, infos, tensors.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.AddFile("config.json", config); err != nil {
		return err
	}
	for _, t := range infos {
		if err := w.WriteAt(f.Stored(weights, t.Name, t.Shape), t.Name, 0); err != nil {
			return err
		}
	}
	return w.Commit()
}

// scratch is M2N2 of networks that have weights of their own.
type scratch struct {
	niche.Weights
	flat  *niche.Flat
	infos map[string]tensors.Info
	parts []merge.Part
}

// newScratch reads the first networks.
func newScratch(c niche.Crossing, sigma float64, o *opened, like *merge.Spec) (*scratch, error) {
	s := &scratch{flat: o.family.Flat(), infos: map[string]tensors.Info{}, parts: like.Parts}
	s.Crossing, s.Sigma = c, sigma
	for _, t := range o.parents.Merged() {
		s.infos[t.Name] = t
	}
	for _, src := range o.parents.Sources() {
		w, err := s.flat.Read(src)
		if err != nil {
			return nil, err
		}
		s.First = append(s.First, w)
	}
	return s, nil
}

// spec is the candidate of a genome.
func (s *scratch) spec(genome []float64) *merge.Spec {
	weights := niche.Narrow(genome)
	stored := map[string][]float32{}
	for name, t := range s.infos {
		stored[name] = s.flat.Stored(weights, name, t.Shape)
	}
	return merge.Given(s.parts, func(tensor string) []float32 { return stored[tensor] })
}

// recipe writes a network into a folder, and returns the recipe by which a file beside the
// folder names it.
func (s *scratch) recipe(of *search, dir string, genome []float64) (*recipes.Recipe, error) {
	if err := s.write(of, dir, genome); err != nil {
		return nil, err
	}
	return recipes.Parse(of.file, fmt.Appendf(nil, "merge_method: passthrough\nmodels:\n  - model: ./%s\n", filepath.Base(dir)))
}

func (s *scratch) write(of *search, dir string, genome []float64) error {
	return writeNetwork(dir, of.recipe.Init.Config, of.opened.parents.Merged(), s.flat, niche.Narrow(genome))
}

// best are the best members of the archive: the weights of others are not kept.
func (s *scratch) best(m *evolve.M2N2[[]float64]) []runs.Record {
	list := m.Members()
	evolve.Rank(list)
	var out []runs.Record
	for _, c := range list[:min(len(list), mostFinalists)] {
		r := runs.Record{Scored: c}
		binary.LittleEndian.PutUint64(r.Outputs[:], c.ID) // none is another's equal
		out = append(out, r)
	}
	return out
}
