package merge

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// Population keeps the parents on the device, uploaded once in their stored type,
// and makes the weights of many candidates from them inside a graph.
type Population struct {
	backend  compute.Backend
	parents  *Parents
	resident [][]*gmlx.Tensor // [parent][tensor] as [1, N]; nil where another part's
	kinds    []*Kind
}

// Load uploads every merged tensor of every parent.
func Load(b compute.Backend, p *Parents) (*Population, error) {
	pop := &Population{backend: b, parents: p}
	for i := range p.sources {
		row := make([]*gmlx.Tensor, len(p.merged))
		for t, info := range p.merged {
			if p.partOf(i) != p.part[info.Name] {
				continue
			}
			n := info.Len()
			if n == 0 || uint64(n) > math.MaxUint32 {
				return nil, fmt.Errorf("%s: %d elements; between 1 and 2^32 can be searched", info.Name, n)
			}
			x, err := upload(b, p.of(i, info.Name), info.Name, 0, n, n)
			if err != nil {
				return nil, err
			}
			row[t] = x
		}
		pop.resident = append(pop.resident, row)
	}
	return pop, nil
}

// Backend returns the backend that holds the parents.
func (pop *Population) Backend() compute.Backend { return pop.backend }

// Finalize frees the parents on the device.
func (pop *Population) Finalize() {
	for _, row := range pop.resident {
		for _, t := range row {
			if t != nil {
				_ = t.FinalizeAll()
			}
		}
	}
	pop.resident = nil
}

// Kind is what the specs of one compiled graph share: all but their parameters.
type Kind struct {
	pop      *Population
	spec     Spec // without Params
	profiles []*Profile
}

// Kind returns the kind of a spec, the same one for specs that differ in their
// parameters only, so that a graph is compiled once for each.
func (pop *Population) Kind(s *Spec) *Kind {
	for _, k := range pop.kinds {
		if k.spec.Method == s.Method && slices.EqualFunc(k.spec.Parts, s.Parts, samePart) && k.spec.Seed == s.Seed && k.spec.DType == s.DType {
			return k
		}
	}
	k := &Kind{pop: pop, spec: *s}
	k.spec.Params = nil
	for _, info := range pop.parents.merged {
		k.profiles = append(k.profiles, newProfile(pop.parents, s, info, true))
	}
	pop.kinds = append(pop.kinds, k)
	return k
}

func samePart(a, b Part) bool { return a.Base == b.Base && slices.Equal(a.Inputs, b.Inputs) }

// Resident returns the device tensors that a graph of this kind takes.
func (k *Kind) Resident() []*gmlx.Tensor {
	var out []*gmlx.Tensor
	for t, info := range k.pop.parents.merged {
		for _, i := range k.spec.inputs(k.pop.parents, info.Name) {
			out = append(out, k.pop.resident[i][t])
		}
	}
	return out
}

// Coefs returns the coefficients of P specs, float32 [P, T, F] and uint32
// [P, T, U]: all that moves to the device for them. errs[i] is set where spec i
// has no answer; its coefficients are zero then.
func (k *Kind) Coefs(specs []*Spec) (f, u *gmlx.Tensor, errs []error) {
	nf, nu := k.spec.slots()
	t := len(k.profiles)
	fs, us := make([]float32, len(specs)*t*nf), make([]uint32, len(specs)*t*nu)
	errs = make([]error, len(specs))
	for i, s := range specs {
		if i > 0 && s == specs[i-1] { // padding: nothing to measure or solve again
			copy(fs[i*t*nf:(i+1)*t*nf], fs[(i-1)*t*nf:])
			copy(us[i*t*nu:(i+1)*t*nu], us[(i-1)*t*nu:])
			errs[i] = errs[i-1]
			continue
		}
		for j, p := range k.profiles {
			at := i*t + j
			if err := s.coefs(p, fs[at*nf:(at+1)*nf], us[at*nu:(at+1)*nu]); err != nil {
				errs[i] = err
				break
			}
		}
		if errs[i] != nil {
			clear(fs[i*t*nf : (i+1)*t*nf])
			clear(us[i*t*nu : (i+1)*t*nu])
		}
	}
	return gmlx.FromFlatDataAndDimensions(fs, len(specs), t, nf), gmlx.FromFlatDataAndDimensions(us, len(specs), t, nu), errs
}

// Weights makes the merged weights of P candidates inside a graph: f and u are
// the coefficients, stored the nodes of Resident in order. The returned function
// gives a tensor by name as float32 [P, shape...], rounded to the output type, so
// that the weights scored are the weights written. It panics on an unknown name,
// as graph-building functions do.
func (k *Kind) Weights(f, u *graph.Node, stored []*graph.Node) func(name string) *graph.Node {
	weights := make(map[string]*graph.Node, len(k.profiles))
	for t, info := range k.pop.parents.merged {
		row := func(table *graph.Node) *graph.Node {
			return graph.Squeeze(graph.Slice(table, graph.AxisRange(), graph.AxisElem(t), graph.AxisRange()), 1)
		}
		n := len(k.spec.inputs(k.pop.parents, info.Name))
		x := operands(&k.spec, row(f), row(u), graph.Const(f.Graph(), uint32(0)), stored[:n])
		stored = stored[n:]
		y, err := rounded(k.spec.Method.Mix(x), k.spec.output(info.DType))
		if err != nil {
			panic(err)
		}
		dims := append([]int{f.Shape().Dim(0)}, info.Shape...)
		weights[info.Name] = graph.Reshape(y, dims...)
	}
	return func(name string) *graph.Node {
		w, ok := weights[name]
		if !ok {
			panic(fmt.Errorf("the model has no tensor %s", name))
		}
		return w
	}
}

// Tensors returns the merged tensors' headers.
func (k *Kind) Tensors() []tensors.Info { return k.pop.parents.merged }
