package merge

import (
	"fmt"
	"math"

	"github.com/mergevo/mergevo/tensors"
)

// Spec says exactly one merge of a set of parents: what a recipe without holes
// becomes once its models are open.
type Spec struct {
	Method *Method
	// Parents are those whose positions Parts gives; nil where the caller has them: one set
	// for all its specs. Specs that stack layers have their own.
	Parents *Parents
	// Parts say who is merged with whom, for each part of the parents: one, but
	// for slices and modules.
	Parts []Part
	// Seed keys the noise of stochastic methods.
	Seed uint64
	// AsMergekit asks for mergekit's numbers where a method's differ by design.
	AsMergekit bool
	// DType is the type merged tensors are rounded to; 0 keeps the stored type.
	DType tensors.DType
	// Params returns the parameters of one tensor: the global ones, and those of
	// each input in order.
	Params func(tensor string) (global Values, source []Values)
}

// Part says which parents one part of the tensors is made of.
type Part struct {
	// Base is the base model's position among the parents, -1 without one.
	Base int
	// Inputs are the sources' positions among the parents, in recipe order. The
	// order is part of the merge: sums run over it and noise is keyed by it.
	Inputs []int
}

// output returns the type that a tensor stored as d is written in.
func (s *Spec) output(d tensors.DType) tensors.DType {
	if s.DType != 0 {
		return s.DType
	}
	return d
}

// rows returns how a tensor falls into rows of coefficients.
func (s *Spec) rows(t tensors.Info) Rows {
	if s.Method.Rows == nil {
		return Rows{}
	}
	global, _ := s.Params(t.Name)
	return s.Method.Rows(global, t.Shape)
}

// coefs computes the coefficients of one tensor into tables of Method.widths.
func (s *Spec) coefs(p *Profile, r Rows, f []float32, u []uint32) error {
	m := s.Method
	global, source := s.Params(p.tensor)
	out := Coefs{method: m, sources: len(p.source), rows: r, f: f, u: u}
	if err := s.valid(p.tensor); err != nil {
		return err
	}
	if err := p.noStatistic(m.Statistic); err != nil {
		return fmt.Errorf("%s: %w", p.tensor, err)
	}
	if err := m.Coef(p, global, source, out); err != nil {
		return fmt.Errorf("%s: %w", p.tensor, err)
	}
	for _, c := range out.f {
		if math.IsNaN(float64(c)) {
			return fmt.Errorf("%s: %s gives a coefficient that is not a number", p.tensor, m.Name)
		}
	}
	return nil
}

// valid refuses parameters of a tensor that make no merge together.
func (s *Spec) valid(tensor string) error {
	if s.Method.Valid == nil {
		return nil
	}
	global, source := s.Params(tensor)
	if err := s.Method.Valid(global, source); err != nil {
		return fmt.Errorf("%s: %w", tensor, err)
	}
	return nil
}

// Check refuses a merge whose parameters cannot work for some tensor, before any is
// read: it names the first, and says how many there are.
func (s *Spec) Check(p *Parents) error {
	var first error
	count := 0
	for _, t := range p.merged {
		if err := s.valid(t.Name); err != nil {
			if count++; first == nil {
				first = err
			}
		}
	}
	if count > 1 {
		return fmt.Errorf("%w (and so in %d more tensors)", first, count-1)
	}
	return first
}

// hasBase reports whether the merge reads a base: in all parts, or in none.
func (s *Spec) hasBase() bool { return s.Parts[0].Base >= 0 }

// all lists the parents that a part reads, the base first if there is one.
func (p Part) all() []int {
	if p.Base < 0 {
		return p.Inputs
	}
	return append([]int{p.Base}, p.Inputs...)
}

// inputs lists the parents that a tensor is made of, the base first.
func (s *Spec) inputs(p *Parents, tensor string) []int { return s.Parts[p.part[tensor]].all() }
