package merge

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// Tensor merges one tensor of a spec on the device, in the type of the output, or as
// float32 where wide asks for it. Tensors that are alike share a graph, whatever their
// names and their spec's arrangement of parents. own says that the caller must free it: what
// a merge leaves as it is stays the parents'. failed says why the spec has no answer.
func (pop *Population) Tensor(ctx context.Context, s *Spec, name string, wide bool) (x *gmlx.Tensor, own bool, failed, err error) {
	if pop.onto != nil {
		return pop.added(ctx, s, name, wide)
	}
	return pop.single(ctx, s, name, wide)
}

func (pop *Population) single(ctx context.Context, s *Spec, name string, wide bool) (x *gmlx.Tensor, own bool, failed, err error) {
	p := s.Parents
	if p == nil {
		p = pop.parents
	}
	at, ok := slices.BinarySearchFunc(p.merged, name, func(t tensors.Info, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return nil, false, nil, fmt.Errorf("the model has no tensor %s", name)
	}
	info := p.merged[at]
	if n := info.Len(); n == 0 || uint64(n) > math.MaxUint32 {
		return nil, false, nil, fmt.Errorf("%s: %d elements; between 1 and 2^32 can be searched", name, n)
	}
	var parts []held
	var keys []string
	for _, i := range s.inputs(p, name) {
		from := p.of(i, name)
		h, err := pop.stock.hold(from, name)
		if err != nil {
			return nil, false, nil, err
		}
		parts = append(parts, h)
		for k := range tensors.OriginOf(from, name).Keys() {
			keys = append(keys, k)
		}
	}
	to := s.output(info.DType)
	if wide {
		to = tensors.F32
	}
	if global, source := s.Params(name); len(parts) == 1 && parts[0].add == nil && parts[0].dtype == to && s.output(info.DType) == to &&
		s.Method.Same != nil && s.Method.Same(global, source) {
		all, lent, err := pop.stock.bring(parts[0])
		if err != nil {
			return nil, false, nil, err
		}
		return all[0], lent != nil, nil, nil
	}
	rows := s.rows(info)
	m := pop.measured(s, p, info, rows, keys)
	nf, nu := s.Method.widths(len(m.profile.source), rows)
	f, u := make([]float32, nf), make([]uint32, nu)
	if failed := s.coefs(m.profile, rows, f, u); failed != nil {
		return nil, false, failed, nil
	}
	errs := make([]error, 1)
	if m.solved.update(m.profile, []*Spec{s}, errs); errs[0] != nil {
		return nil, false, errs[0], nil
	}
	args := []any{gmlx.FromFlatDataAndDimensions(f, 1, nf), gmlx.FromFlatDataAndDimensions(u, 1, nu), gmlx.FromFlatDataAndDimensions(rows.place(0), 3)}
	free := []*gmlx.Tensor{args[0].(*gmlx.Tensor), args[1].(*gmlx.Tensor), args[2].(*gmlx.Tensor)}
	defer func() {
		for _, t := range free {
			_ = t.FinalizeAll()
		}
	}()
	for _, h := range parts {
		all, lent, err := pop.stock.bring(h)
		if err != nil {
			return nil, false, nil, err
		}
		if lent != nil {
			free = append(free, lent)
		}
		for _, t := range all {
			args = append(args, t)
		}
	}
	if m.prepared == nil {
		if m.prepared, err = prepareWhole(ctx, s.Method, m.profile); err != nil {
			return nil, false, nil, err
		}
	}
	for _, t := range m.prepared {
		args = append(args, t)
	}
	if m.profile.solves {
		t, err := m.solved.upload(m.profile)
		if err != nil {
			return nil, false, nil, err
		}
		args = append(args, t)
	}
	exec, err := pop.mixer(s, parts, rows, m.profile.solves, info, to)
	if err != nil {
		return nil, false, nil, err
	}
	out, err := exec.Call(args...)
	if err != nil {
		return nil, false, nil, fmt.Errorf("merging %s: %w", name, err)
	}
	return out[0], true, nil, nil
}

// Layers counts the layers of a spec's output whose tensors' names begin with a prefix.
func (pop *Population) Layers(s *Spec, prefix string) int {
	p := s.Parents
	if p == nil {
		p = pop.parents
	}
	n := 0
	for _, t := range p.merged {
		if rest, ok := strings.CutPrefix(t.Name, prefix); ok {
			number, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(number); err == nil {
				n = max(n, i+1)
			}
		}
	}
	return n
}

// measuredTensor is what was measured and prepared on the sources of a tensor.
type measuredTensor struct {
	profile  *Profile
	prepared []*gmlx.Tensor
	solved   solved
}

// measured returns the measurements of a tensor, which specs share that differ in their
// parameters only; keys are those of the tensors that are read.
func (pop *Population) measured(s *Spec, p *Parents, info tensors.Info, rows Rows, keys []string) *measuredTensor {
	key := fmt.Sprint(s.Method.Name, s.Seed, s.AsMergekit, info.Name, rows.Count > 0, s.hasBase(), s.fixed(info.Name), keys)
	m := pop.singles[key]
	if m == nil {
		m = &measuredTensor{profile: newProfile(p, s, info, true)}
		pop.singles[key] = m
	}
	return m
}

// mixer is the graph that merges tensors of one shape, of parents that lie alike on the
// device: its arguments are the coefficients, the place, the parents' tensors and what
// the method prepares.
func (pop *Population) mixer(s *Spec, parts []held, rows Rows, solves bool, info tensors.Info, to tensors.DType) (*graph.Exec, error) {
	var key strings.Builder
	fmt.Fprint(&key, s.Method.Name, rows.Count > 0, rows.padded(), s.hasBase(), solves, info.Shape, s.output(info.DType), to)
	for _, h := range parts {
		key.WriteString(h.likeness())
	}
	if e := pop.mixers[key.String()]; e != nil {
		return e, nil
	}
	spec := Spec{Method: s.Method, Parts: s.Parts}
	written, dtype := s.output(info.DType), to
	parts, shape := slices.Clone(parts), slices.Clone(info.Shape)
	exec, err := graph.NewExec(pop.stock.backend, func(args []*graph.Node) *graph.Node {
		f, u, place, nodes := args[0], args[1], args[2], args[3:]
		var stored []*graph.Node
		for _, h := range parts {
			stored = append(stored, h.read(nodes[:len(h.tensors)]))
			nodes = nodes[len(h.tensors):]
		}
		x := operands(&spec, rows, solves, f, u, place, append(stored, nodes...))
		y, err := rounded(spec.Method.Mix(x), written)
		if err != nil {
			panic(err)
		}
		y = graph.Reshape(graph.BroadcastToShape(y, x.source[0].Shape()), shape...)
		d, err := deviceType(dtype)
		if err != nil {
			panic(err)
		}
		return graph.ConvertDType(y, d)
	})
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", s.Method.Name, err)
	}
	exec.SetMaxCache(-1)
	pop.mixers[key.String()] = exec
	return exec, nil
}
