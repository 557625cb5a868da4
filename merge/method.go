package merge

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// Method is one row of the table of merge methods. Help, validation, search
// bounds, documentation and the compliance tests are all read from it.
type Method struct {
	// Name as recipes write it, in mergekit's spelling.
	Name string
	// Doc is one sentence: what the method does.
	Doc string
	// Math is the formula, in plain text. x_i is source i, b the base,
	// d_i = x_i - b, w_i the weight.
	Math string
	// Cite is the paper or the program that defined the method.
	Cite string

	// Base says whether the recipe must, may or need not name a base model.
	Base BaseRule
	// Sources bounds the number of models besides the base; MaxSources 0 means
	// no upper bound.
	MinSources, MaxSources int

	// Params lists every parameter the method reads. Names are unique.
	Params []Param
	// Deviation says, if not empty, in what our numbers differ from mergekit's by
	// design; Spec.AsMergekit takes back those it says it does.
	Deviation string
	// Elects says that entries which lose a sign election are left out, and that
	// normalize divides by the agreeing weights: by the sum of their magnitudes if one
	// is negative, except as mergekit has it.
	Elects bool
	// Linear says that the merge is the sum of the sources, or of the base and the task
	// vectors, each times float field 0 of its coefficients: what products of factors
	// are merged by as well. [Spec.Weights] gives these.
	Linear bool
	// Valid, if not nil, refuses parameters of a tensor that make no merge together.
	Valid func(global Values, source []Values) error
	// Same, if not nil, reports whether the merge of one source is that source, to the bit.
	Same func(global Values, source []Values) bool
	// Inert lists parameters that mergekit accepts for the method and that change
	// no number there: accepted here too, with a note.
	Inert []string

	// SourceF, SourceU and GlobalF are the numbers of float32 and uint32
	// coefficients a source, and of float32 coefficients a tensor.
	SourceF, SourceU, GlobalF int
	// Rows, if not nil, says how the tensor falls into rows that have coefficients
	// of their own: RowF and RowU a source, RowGlobalF and RowGlobalU a row.
	Rows                   func(global Values, shape []int) Rows
	RowF, RowU, RowGlobalF int
	RowGlobalU             int
	// RankAxis, if not nil, names the axis along which the entries of each task vector
	// are ranked by |d|, in tensors that have rows: Operands.Ranks gives the ranks.
	// Spread, if not nil, prepares a float32 operand for all sources: it fills elements
	// [off, off+len(dst)) of the tensor. Both depend on no parameter but structural
	// ones, so that a search prepares them once.
	RankAxis func(shape []int) int
	Spread   func(p *Profile, off int, dst []float32) error
	// Statistic, if not nil, is what the method must know of each source's data: recipes
	// name a file of it for each model.
	Statistic *Statistic
	// Solve, if not nil, makes whole tensors on the host, of which a Mix reads the
	// elements it needs by Operands.Solved: those that Solves says, of which the method's
	// answer is no combination of the sources' numbers one by one. It runs once for each
	// tensor and set of parameters.
	Solve  func(p *Profile, global Values, source []Values) ([]float32, error)
	Solves func(p *Profile) bool
	// Derive, if not nil, makes operands by mathematics of whole tensors, which
	// Operands.Derived gives: one, or with DeriveEach one a source. They depend on no
	// parameter but Fixed ones, so that a search derives them once. Cost says in words what
	// it takes.
	Derive     func(ctx context.Context, p *Profile) (Derivation, error)
	DeriveEach bool
	Cost       string
	// Coef fills the coefficients of one tensor. It is pure but for what the
	// profile measures, and returns an error where the merge has no answer
	// (weights that sum to zero).
	Coef func(p *Profile, global Values, source []Values, out Coefs) error
	// Mix combines the sources: every node is broadcastable to [P, N]. It may
	// hold no reduction, product of matrices or scan.
	Mix func(x *Operands) *graph.Node
}

// BaseRule says what a method does with base_model.
type BaseRule uint8

// The rules for base_model.
const (
	// BaseUnused: the method reads no base; naming one only chooses where
	// config and tokenizer come from.
	BaseUnused BaseRule = iota
	// BaseRequired: the recipe must name a base; it is not a source.
	BaseRequired
	// BaseOptional: with a base, which is not a source, task vectors are merged
	// and added to it; without one, the models themselves.
	BaseOptional
)

// Param is one parameter of a method.
type Param struct {
	Name string
	// PerSource parameters are read for each model, the others once a tensor.
	PerSource bool
	// Bool parameters are true or false; Min and Max are 0 and 1.
	Bool bool
	// Structural parameters change which coefficients there are: a search that
	// chooses among their values compiles a graph for each.
	Structural bool
	// Fixed parameters shape what a method derives, once a search: a recipe says
	// their value, and no hole may stand in its place.
	Fixed bool
	// Choices, if not nil, are the words that the parameter may be; its value is
	// the index of one.
	Choices []string
	// Aliases are other spellings of the name.
	Aliases []string
	// Required parameters have no default.
	Required bool
	// Default is the value where the recipe names none.
	Default float64
	// Min and Max bound what a recipe may say; infinite where open.
	Min, Max float64
	// Low, High and Start are the bounds and start of a hole that names none.
	Low, High, Start float64
	// Grid, if positive, is the step on which a search proposes values, so that
	// everything measured for them is measured once a search.
	Grid float64
	// Doc is a phrase: what the parameter does, and its unit.
	Doc string
}

// Check returns an error if v is outside the parameter's range.
func (p Param) Check(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("%s is not a finite number", p.Name)
	case p.Bool && v != 0 && v != 1:
		return fmt.Errorf("%s is true or false, not %g", p.Name, v)
	case p.Choices != nil:
		if v != math.Trunc(v) || v < 0 || int(v) >= len(p.Choices) {
			return fmt.Errorf("%s is %s, not %g", p.Name, p.Range(), v)
		}
		return nil
	case v < p.Min || v > p.Max:
		return fmt.Errorf("%s = %g is outside %s", p.Name, v, p.Range())
	}
	return nil
}

// Range writes the interval of allowed values, such as "[0, 1]" or "any number".
func (p Param) Range() string {
	switch lo, hi := math.IsInf(p.Min, -1), math.IsInf(p.Max, 1); {
	case p.Bool:
		return "true or false"
	case p.Choices != nil:
		return strings.Join(p.Choices, " or ")
	case lo && hi:
		return "any number"
	case hi:
		return fmt.Sprintf("%g or more", p.Min)
	case lo:
		return fmt.Sprintf("%g or less", p.Max)
	}
	return fmt.Sprintf("[%g, %g]", p.Min, p.Max)
}

// Param returns the named parameter.
func (m *Method) Param(name string) (Param, bool) {
	i := slices.IndexFunc(m.Params, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return Param{}, false
	}
	return m.Params[i], true
}

// Lookup returns the method of that name.
func Lookup(name string) (*Method, bool) {
	for _, m := range Methods() {
		if m.Name == name {
			return m, true
		}
	}
	return nil, false
}

// Values are parameter values of one tensor, either the global ones or those
// of one source, by name. Booleans are 0 or 1. A name that is absent reads as
// its default.
type Values struct {
	method *Method
	values []float64 // by position in method.Params; NaN where not set

	// Pieces are, among the global values of a tensor, those of methods that merge
	// by pieces; nil: one piece, of which each source has the same share.
	Pieces *Pieces

	// Weights are all of a tensor's, of a candidate that is Given.
	Weights []float32
}

// NewValues returns a set in which every parameter has its default.
func (m *Method) NewValues() Values {
	v := Values{method: m, values: make([]float64, len(m.Params))}
	for i, p := range m.Params {
		v.values[i] = p.Default
		if p.Required {
			v.values[i] = math.NaN()
		}
	}
	return v
}

// Set gives a parameter its value. It panics on a name that the method lacks:
// recipes are checked against the row before any value is set.
func (v Values) Set(name string, x float64) { v.values[v.index(name)] = x }

// Get returns a parameter's value; NaN for a required one that was not set.
func (v Values) Get(name string) float64 { return v.values[v.index(name)] }

// Word returns the word that a parameter of Choices is.
func (v Values) Word(name string) string {
	i := v.index(name)
	return v.method.Params[i].Choices[int(v.values[i])]
}

// Is returns a boolean parameter.
func (v Values) Is(name string) bool { return v.Get(name) != 0 }

func (v Values) index(name string) int {
	for i := range v.method.Params {
		if v.method.Params[i].Name == name {
			return i
		}
	}
	panic("merge: method " + v.method.Name + " has no parameter " + name)
}
