package merge

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// Population keeps the parents in their stored type, on the device or near it, and
// makes the weights of many candidates from them: inside a graph where they are on the
// device, group by group through a [Merger], or one by one.
type Population struct {
	parents  *Parents
	stock    *stock
	resident [][]held // [parent][tensor]; nothing where another part's
	kinds    []*Kind
	// singles and mixers are those of [Population.Tensor].
	singles map[string]*measuredTensor
	mixers  map[string]*graph.Exec
	onto    *Onto // nil unless adapters are merged
}

// NewPopulation has no parents of its own: those of its specs are put to a place when
// they are first read.
func NewPopulation(b compute.Backend, at Placement) *Population {
	return &Population{stock: newStock(b, at), singles: map[string]*measuredTensor{}, mixers: map[string]*graph.Exec{}}
}

// Load uploads every merged tensor of every parent, those once that several share.
func Load(b compute.Backend, p *Parents) (*Population, error) { return LoadTo(b, p, OnDevice) }

// LoadTo puts every merged tensor of every parent to a place, those once that several
// share.
func LoadTo(b compute.Backend, p *Parents, at Placement) (*Population, error) {
	pop := NewPopulation(b, at)
	pop.parents = p
	for i := range p.sources {
		row := make([]held, len(p.merged))
		for t, info := range p.merged {
			if p.partOf(i) != p.part[info.Name] {
				continue
			}
			n := info.Len()
			if n == 0 || uint64(n) > math.MaxUint32 {
				pop.Finalize()
				return nil, fmt.Errorf("%s: %d elements; between 1 and 2^32 can be searched", info.Name, n)
			}
			h, err := pop.stock.hold(p.of(i, info.Name), info.Name)
			if err != nil {
				pop.Finalize()
				return nil, err
			}
			row[t] = h
		}
		pop.resident = append(pop.resident, row)
	}
	return pop, nil
}

// Place says where the parents are.
func (pop *Population) Place() Placement { return pop.stock.place }

// Backend returns the backend that merges run on.
func (pop *Population) Backend() compute.Backend { return pop.stock.backend }

// Apart reports whether specs are better merged a tensor at a time: where factors of
// adapters are multiplied, which makes one graph of all tensors a large one.
func (pop *Population) Apart() bool {
	return pop.parents == nil || pop.onto != nil || slices.ContainsFunc(pop.resident, func(row []held) bool {
		return slices.ContainsFunc(row, func(h held) bool { return h.add != nil })
	})
}

// Finalize frees the parents on the device, and what was prepared of them.
func (pop *Population) Finalize() {
	pop.stock.finalize()
	pop.resident = nil
	free := func(made []*gmlx.Tensor) {
		for _, t := range made {
			_ = t.FinalizeAll()
		}
	}
	for _, k := range pop.kinds {
		for _, made := range k.prepared {
			free(made)
		}
		k.prepared = nil
		for i := range k.solved {
			k.solved[i].free()
		}
	}
	for _, m := range pop.singles {
		free(m.prepared)
		m.solved.free()
	}
	for _, e := range pop.mixers {
		e.Finalize()
	}
	pop.singles, pop.mixers = nil, nil
}

// Kind is what the specs of one compiled graph share: all but their parameters.
type Kind struct {
	pop      *Population
	spec     Spec // without Params
	profiles []*Profile
	rows     []Rows      // of each tensor
	fixed    [][]float64 // of each tensor, the values that what is derived depends on
	// prepared are what the method prepares for each tensor, on the device.
	prepared [][]*gmlx.Tensor
	solved   []solved // of each tensor
	// at says where each tensor's coefficients begin in a candidate's, and where
	// they end for the last; float32 and uint32.
	atF, atU []int
}

// Kind returns the kind of a spec, the same one for specs that differ in their
// parameters only, so that a graph is compiled once for each.
func (pop *Population) Kind(s *Spec) *Kind {
	for _, k := range pop.kinds {
		if k.fits(s) && slices.EqualFunc(k.spec.Parts, s.Parts, samePart) && k.spec.Seed == s.Seed && k.spec.AsMergekit == s.AsMergekit && k.spec.DType == s.DType {
			return k
		}
	}
	k := &Kind{pop: pop, spec: *s, atF: []int{0}, atU: []int{0}}
	k.spec.Params = nil
	for i, info := range pop.parents.merged {
		k.profiles = append(k.profiles, newProfile(pop.parents, s, info, true))
		k.rows = append(k.rows, s.rows(info))
		k.fixed = append(k.fixed, s.fixed(info.Name))
		f, u := s.Method.widths(len(k.profiles[i].source), k.rows[i])
		k.atF, k.atU = append(k.atF, k.atF[i]+f), append(k.atU, k.atU[i]+u)
	}
	k.solved = make([]solved, len(k.profiles))
	pop.kinds = append(pop.kinds, k)
	return k
}

// fits reports whether a spec has the coefficients that the kind's graph reads, and
// the operands.
func (k *Kind) fits(s *Spec) bool {
	if s.Method != k.spec.Method {
		return false
	}
	if s.Method.Rows == nil && s.Method.Derive == nil {
		return true
	}
	for i, info := range k.pop.parents.merged {
		if s.rows(info) != k.rows[i] || !slices.Equal(s.fixed(info.Name), k.fixed[i]) {
			return false
		}
	}
	return true
}

func samePart(a, b Part) bool { return a.Base == b.Base && slices.Equal(a.Inputs, b.Inputs) }

// prepare makes what the method prepares, once.
func (k *Kind) prepare(ctx context.Context) error {
	if k.prepared != nil {
		return nil
	}
	var all [][]*gmlx.Tensor
	for _, p := range k.profiles {
		made, err := prepareWhole(ctx, k.spec.Method, p)
		if err != nil {
			return err
		}
		all = append(all, made)
	}
	k.prepared = all
	return nil
}

// made are the device tensors that follow the parents' of tensor t: what the method
// prepared, and what was solved for the candidates that coefs was last asked for.
func (k *Kind) made(t int) ([]*gmlx.Tensor, error) {
	all := k.prepared[t]
	if p := k.profiles[t]; p.solves {
		x, err := k.solved[t].upload(p)
		if err != nil {
			return nil, err
		}
		all = append(all[:len(all):len(all)], x)
	}
	return all, nil
}

// Resident returns the device tensors that a graph of this kind takes, for the
// candidates that Coefs was last asked for. What the method prepares is made here, once.
// It is an error where the parents are not on the device.
func (k *Kind) Resident(ctx context.Context) ([]*gmlx.Tensor, error) {
	if k.pop.Place() != OnDevice {
		return nil, fmt.Errorf("the parents are not on the device: they are merged tensor by tensor")
	}
	if err := k.prepare(ctx); err != nil {
		return nil, err
	}
	var out []*gmlx.Tensor
	for t, info := range k.pop.parents.merged {
		for _, i := range k.spec.inputs(k.pop.parents, info.Name) {
			out = append(out, k.pop.resident[i][t].tensors...)
		}
		made, err := k.made(t)
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	return out, nil
}

// Coefs returns the coefficients of P specs, float32 [P, F] and uint32 [P, U]: all
// that moves to the device for them. errs[i] is set where spec i has no answer; its
// coefficients are zero then.
func (k *Kind) Coefs(specs []*Spec) (f, u *gmlx.Tensor, errs []error) {
	fs, us, errs := k.coefs(specs)
	p := len(specs)
	return gmlx.FromFlatDataAndDimensions(fs, p, len(fs)/p), gmlx.FromFlatDataAndDimensions(us, p, len(us)/p), errs
}

// coefs are Coefs on the host, row by row.
func (k *Kind) coefs(specs []*Spec) (fs []float32, us []uint32, errs []error) {
	nf, nu := k.atF[len(k.profiles)], k.atU[len(k.profiles)]
	fs, us = make([]float32, len(specs)*nf), make([]uint32, len(specs)*nu)
	errs = make([]error, len(specs))
	k.solve(specs, errs)
	for i, s := range specs {
		if errs[i] != nil {
			continue
		}
		mf, mu := fs[i*nf:(i+1)*nf], us[i*nu:(i+1)*nu]
		if i > 0 && s == specs[i-1] { // padding: nothing to measure or solve again
			copy(mf, fs[(i-1)*nf:])
			copy(mu, us[(i-1)*nu:])
			errs[i] = errs[i-1]
			continue
		}
		for j, p := range k.profiles {
			if err := s.coefs(p, k.rows[j], mf[k.atF[j]:k.atF[j+1]], mu[k.atU[j]:k.atU[j+1]]); err != nil {
				errs[i] = err
				clear(mf)
				clear(mu)
				break
			}
		}
	}
	return fs, us, errs
}

// Weights makes the merged weights of P candidates inside a graph: f and u are
// the coefficients, stored the nodes of Resident in order. The returned function
// gives a tensor by name as float32 [P, shape...], rounded to the output type, so
// that the weights scored are the weights written. It panics on an unknown name,
// as graph-building functions do.
func (k *Kind) Weights(f, u *graph.Node, stored []*graph.Node) func(name string) *graph.Node {
	weights := make(map[string]*graph.Node, len(k.profiles))
	for t, info := range k.pop.parents.merged {
		columns := func(table *graph.Node, at []int) *graph.Node {
			return graph.Slice(table, graph.AxisRange(), graph.AxisRange(at[t], at[t+1]))
		}
		n := k.takes(t)
		weights[info.Name] = k.weight(t, columns(f, k.atF), columns(u, k.atU), stored[:n])
		stored = stored[n:]
	}
	return func(name string) *graph.Node {
		w, ok := weights[name]
		if !ok {
			panic(fmt.Errorf("the model has no tensor %s", name))
		}
		return w
	}
}

// takes is how many device tensors tensor t is made of.
func (k *Kind) takes(t int) int {
	n := k.spec.Method.prepares(k.profiles[t])
	for _, i := range k.spec.inputs(k.pop.parents, k.pop.parents.merged[t].Name) {
		n += len(k.pop.resident[i][t].tensors)
	}
	return n
}

// weight is tensor t of P candidates, float32 [P, shape...], rounded, of its own
// coefficients, [P, slots], and the device tensors that it is made of.
func (k *Kind) weight(t int, f, u *graph.Node, stored []*graph.Node) *graph.Node {
	info := k.pop.parents.merged[t]
	var read []*graph.Node
	for _, i := range k.spec.inputs(k.pop.parents, info.Name) {
		h := k.pop.resident[i][t]
		read = append(read, h.read(stored[:len(h.tensors)]))
		stored = stored[len(h.tensors):]
	}
	place := graph.Const(f.Graph(), k.rows[t].place(0))
	x := operands(&k.spec, k.rows[t], k.profiles[t].solves, f, u, place, append(read, stored...))
	y, err := rounded(k.spec.Method.Mix(x), k.spec.output(info.DType))
	if err != nil {
		panic(err)
	}
	y = graph.BroadcastToDims(y, f.Shape().Dim(0), info.Len())
	return graph.Reshape(y, append([]int{f.Shape().Dim(0)}, info.Shape...)...)
}

// Tensors returns the merged tensors' headers.
func (k *Kind) Tensors() []tensors.Info { return k.pop.parents.merged }
