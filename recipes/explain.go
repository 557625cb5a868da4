package recipes

import (
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/merge/niche"
)

// Explanation is what a recipe says of one tensor, and where.
type Explanation struct {
	// Tensor is its name in the output.
	Tensor string `json:"tensor"`
	Method string `json:"method"`
	// Base is the base model, "" without one, and BaseTensor what is read of it.
	Base       string `json:"base,omitempty"`
	BaseTensor string `json:"base_tensor,omitempty"`
	// Shared are the parameters that are one value for all models.
	Shared []Stated `json:"shared,omitempty"`
	// Models are the sources in their order.
	Models []ExplainedModel `json:"models"`
	// WeightSum is the sum of the weights, and Normalized whether the merge divides
	// by it; both only for methods with weights.
	WeightSum  float64 `json:"weight_sum,omitempty"`
	Normalized bool    `json:"normalized,omitempty"`
	// Unsigned says that the merge divides by the sum of the weights' magnitudes,
	// which WeightSum then is, since one is negative; mergekit does not.
	Unsigned bool `json:"unsigned,omitempty"`
	// Pieces are a niche merge's, in the order it runs along the tensor; none where a
	// search makes them. Share is then the mean over them.
	Pieces []niche.Piece `json:"pieces,omitempty"`
}

// ExplainedModel is what a tensor gets of one model.
type ExplainedModel struct {
	Ref string `json:"model"`
	// Tensor is its name in the model.
	Tensor string   `json:"tensor"`
	Params []Stated `json:"params,omitempty"`
	// Share is the weight after normalization: the factor of the model, or of its
	// task vector before masks and lambda.
	Share float64 `json:"share,omitempty"`
}

// Stated is a parameter's value and its origin.
type Stated struct {
	Param merge.Param `json:"-"`
	Name  string      `json:"name"`
	Value float64     `json:"value"`
	// Line is the line of the recipe, 0 for the method's default.
	Line int `json:"line,omitempty"`
	// Hole says that a search fills it; Value is its start.
	Hole bool `json:"hole,omitempty"`
}

// Text writes the value as a recipe does.
func (s Stated) Text() string { return valueNode(s.Param, s.Value).text }

// Cancels reports a normalized sum of weights so near zero that the quotient is
// many times the models: under a thousandth of the weights' magnitudes.
func (e Explanation) Cancels() bool {
	if !e.Normalized {
		return false
	}
	magnitude := e.magnitude()
	return math.Abs(e.WeightSum) < 1e-3*magnitude || magnitude == 0
}

// magnitude is the sum of the weights' magnitudes.
func (e Explanation) magnitude() (sum float64) {
	for _, m := range e.Models {
		for _, p := range m.Params {
			if p.Name == "weight" {
				sum += math.Abs(p.Value)
			}
		}
	}
	return sum
}

// Deviations returns a line for each thing in which this merge's numbers differ from
// mergekit's by design; holes count as their starts.
func (f *Family) Deviations() ([]string, error) {
	r := f.recipe
	var lines []string
	if r.Base() != "" && r.method.methods[0].Base == merge.BaseUnused && !slices.ContainsFunc(r.models, func(m model) bool { return m.ref == r.base }) {
		lines = append(lines, fmt.Sprintf("%s: base_model %s is not among the models: it gives the configuration and the tokenizer, and no weight", r.name, r.base))
	}
	if !slices.ContainsFunc(r.method.methods, func(m *merge.Method) bool { return m.Elects }) {
		return lines, nil
	}
	values := f.Box().Values(f.Box().Start())
	for _, t := range f.Tensors() {
		e, err := f.Explain(values, t)
		if err != nil {
			return nil, err
		}
		if e.Unsigned {
			return append(lines, fmt.Sprintf("%s: with a negative weight, normalize divides by the sum of the weights' magnitudes, where mergekit's signed sum can cancel (--as-mergekit divides by that)", r.name)), nil
		}
	}
	return lines, nil
}

// Tensors lists the tensors of the family, sorted by layer.
func (f *Family) Tensors() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.name
	}
	return names
}

// Explain says what a tensor gets at a point of the box, as [Family.Spec] has it:
// after precedence, filters, gradients and normalization.
func (f *Family) Explain(values []float64, tensor string) (Explanation, error) {
	genes, method, err := f.read(values)
	if err != nil {
		return Explanation{}, err
	}
	t, ok := f.index[tensor]
	if !ok {
		return Explanation{}, fmt.Errorf("%s: no tensor %q is merged", f.recipe.name, tensor)
	}
	r, m, p := f.recipe, f.recipe.method.methods[method], &f.plans[method]
	s := &r.slices[f.tensors[t].slice]
	e := Explanation{Tensor: tensor, Method: m.Name}
	if at := p.parts[f.tensors[t].slice].Base; at >= 0 {
		e.Base, e.BaseTensor = f.from.Parents[at].Ref, tensor
		if in, ok := f.from.Parents[at].Names[tensor]; ok {
			e.BaseTensor = in
		}
	}
	state := func(row merge.Param, model int) Stated {
		st := Stated{Param: row, Name: row.Name, Value: row.Default}
		if leaf := f.resolve(r.scopesOf(row.Name, model, s), model, t); leaf != nil {
			st.Value = f.slot(leaf, stepped(row), model, t).value(genes)
			st.Line, st.Hole = leaf.line, len(leaf.holes()) > 0
		}
		return st
	}
	for _, row := range m.Params {
		if !row.PerSource {
			st := state(row, -1)
			e.Shared = append(e.Shared, st)
			e.Normalized = e.Normalized || st.Value != 0 && (row.Name == "normalize" || row.Name == "normalize_weights")
		}
	}
	_, weighted := m.Param("weight")
	e.Normalized = e.Normalized && weighted
	for _, i := range r.inputs(m, s) {
		em := ExplainedModel{Ref: r.models[i].ref, Tensor: f.nameFor(t, i)}
		for _, row := range m.Params {
			if row.PerSource {
				em.Params = append(em.Params, state(row, i))
			}
			if row.PerSource && row.Name == "weight" {
				em.Share = em.Params[len(em.Params)-1].Value
				e.WeightSum += em.Share
			}
		}
		e.Models = append(e.Models, em)
	}
	if s := r.pieces.segments; s.Ends != nil {
		e.Pieces = f.flat.Pieces(s)[tensor]
		from, n := 0, float64(e.Pieces[len(e.Pieces)-1].End)
		for _, p := range e.Pieces {
			for k, share := range p.Shares {
				e.Models[k].Share += share * float64(p.End-from) / n
			}
			from = p.End
		}
	}
	if magnitude := e.magnitude(); m.Elects && e.Normalized && !r.AsMergekit && math.Abs(e.WeightSum) < magnitude {
		e.Unsigned, e.WeightSum = true, magnitude
	}
	if e.Normalized && e.WeightSum != 0 {
		for i := range e.Models {
			e.Models[i].Share /= e.WeightSum
		}
	}
	return e, nil
}
