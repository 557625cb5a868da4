package merge

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// groupBytes bounds the merged values, as float32, of tensors that are merged in one
// device call; a larger tensor has a call of its own. Calls cost some tens of
// microseconds each, and what a call takes besides the weights it leaves behind is at
// most a group's.
var groupBytes = 32 << 20

// Merger makes the weights of candidates on the device, a group of tensors at a time:
// beyond parents and weights it takes the room of one group. Groups of the same shapes
// share a graph, so that a deep model compiles few.
type Merger struct {
	kind   *Kind
	wide   bool
	single bool
	at     []int // of each tensor asked for, its number among the kind's
	groups []group
	execs  map[string]*graph.Exec
	calls  int
	busy   time.Duration
}

// group is tensors that are merged in one call.
type group struct {
	tensors []int  // numbers among the kind's
	key     string // equal for groups that share a graph
}

// MergerOptions say in what form weights are made.
type MergerOptions struct {
	// Wide makes them float32, of the values that they have in the type they are written
	// in; they are of that type otherwise.
	Wide bool
	// Single makes those of one candidate at a time, without an axis for more.
	Single bool
}

// Merger returns the merger of some of the tensors.
func (k *Kind) Merger(names []string, o MergerOptions) (*Merger, error) {
	m := &Merger{kind: k, wide: o.Wide, single: o.Single, execs: map[string]*graph.Exec{}}
	number := map[string]int{}
	for t, info := range k.pop.parents.merged {
		number[info.Name] = t
	}
	for _, name := range names {
		t, ok := number[name]
		if !ok {
			return nil, fmt.Errorf("the model has no tensor %s", name)
		}
		m.at = append(m.at, t)
	}
	m.groups = k.groups(m.at)
	return m, nil
}

// groups shares tensors out: those of the same shape side by side, so that groups are
// alike too.
func (k *Kind) groups(tensors []int) []group {
	keys := map[int]string{}
	for _, t := range tensors {
		keys[t] = k.likeness(t)
	}
	merged := k.pop.parents.merged
	order := slices.Clone(tensors)
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(merged[b].Len()-merged[a].Len(), cmp.Compare(keys[a], keys[b]), a-b)
	})
	var out []group
	size := 0
	for _, t := range slices.Compact(order) {
		n := 4 * merged[t].Len()
		if out == nil || size+n > groupBytes {
			out, size = append(out, group{}), 0
		}
		g := &out[len(out)-1]
		g.tensors, g.key = append(g.tensors, t), g.key+keys[t]
		size += n
	}
	return out
}

// likeness is equal for tensors that are merged by the same graph.
func (k *Kind) likeness(t int) string {
	info := k.pop.parents.merged[t]
	key := fmt.Sprint(info.Shape, k.rows[t], k.spec.output(info.DType), k.takes(t), k.profiles[t].solves)
	for _, i := range k.spec.inputs(k.pop.parents, info.Name) {
		key += k.pop.resident[i][t].likeness()
	}
	return key + ";"
}

// Calls returns how many device calls were made so far.
func (m *Merger) Calls() int { return m.calls }

// Busy returns the time spent on uploads and device calls so far, compilation included.
func (m *Merger) Busy() time.Duration { return m.busy }

// Finalize frees the compiled graphs.
func (m *Merger) Finalize() {
	for _, e := range m.execs {
		e.Finalize()
	}
}

// Merge makes the weights of P candidates, [P, shape...] in the order of the names, or
// [shape...] of a single one; they are the caller's to free. errs[i] says why candidate i has no answer: there are no
// weights where none has any.
func (m *Merger) Merge(ctx context.Context, specs []*Spec) (weights []*gmlx.Tensor, errs []error, err error) {
	f, u, errs := m.kind.coefs(specs)
	if !slices.Contains(errs, nil) {
		return nil, errs, nil
	}
	if err := m.kind.prepare(ctx); err != nil {
		return nil, nil, err
	}
	made := map[int]*gmlx.Tensor{}
	for _, g := range m.groups {
		if err = ctx.Err(); err == nil {
			err = m.group(ctx, g, len(specs), f, u, made)
		}
		if err != nil {
			for _, x := range made {
				_ = x.FinalizeAll()
			}
			return nil, nil, err
		}
	}
	for _, t := range m.at {
		weights = append(weights, made[t])
	}
	return weights, errs, nil
}

// group merges the tensors of a group for P candidates.
func (m *Merger) group(ctx context.Context, g group, p int, f []float32, u []uint32, made map[int]*gmlx.Tensor) error {
	began := time.Now()
	defer func() { m.busy += time.Since(began) }()
	stored, lent, err := m.stored(ctx, g)
	lent = append(lent, gathered(f, p, m.kind.atF, g.tensors), gathered(u, p, m.kind.atU, g.tensors))
	defer func() {
		for _, x := range lent {
			_ = x.FinalizeAll()
		}
	}()
	if err != nil {
		return err
	}
	exec := m.execs[g.key]
	if exec == nil {
		if exec, err = graph.NewExec(m.kind.pop.Backend(), m.program(g)); err != nil {
			return fmt.Errorf("preparing the merge: %w", err)
		}
		m.execs[g.key] = exec
	}
	args := []any{lent[len(lent)-2], lent[len(lent)-1]}
	for _, x := range stored {
		args = append(args, x)
	}
	out, err := exec.Call(args...)
	m.calls++
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n") // backends put stack traces behind
		return fmt.Errorf("merging %s on the device: %s", m.kind.pop.parents.merged[g.tensors[0]].Name, line)
	}
	for i, t := range g.tensors {
		made[t] = out[i]
	}
	return nil
}

// gathered is the columns of some tensors, of the coefficients of P candidates.
func gathered[T float32 | uint32](all []T, p int, at []int, tensors []int) *gmlx.Tensor {
	width := len(all) / p
	var out []T
	for i := range p {
		row := all[i*width : (i+1)*width]
		for _, t := range tensors {
			out = append(out, row[at[t]:at[t+1]]...)
		}
	}
	return gmlx.FromFlatDataAndDimensions(out, p, len(out)/p)
}

// stored are the operands of a group on the device, in the order that program takes
// them; lent are those to be freed after use, set whether there is an error or not.
func (m *Merger) stored(ctx context.Context, g group) (all, lent []*gmlx.Tensor, err error) {
	var parts []held
	var after []int // the tensor whose prepared operands follow a part, -1 for none
	for _, t := range g.tensors {
		for _, i := range m.kind.spec.inputs(m.kind.pop.parents, m.kind.pop.parents.merged[t].Name) {
			parts, after = append(parts, m.kind.pop.resident[i][t]), append(after, -1)
		}
		after[len(after)-1] = t
	}
	brought, borrowed := make([][]*gmlx.Tensor, len(parts)), make([]*gmlx.Tensor, len(parts))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range parts {
		work.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			brought[i], borrowed[i], err = m.kind.pop.stock.bring(h)
			return err
		})
	}
	err = work.Wait()
	for i := range parts {
		if all = append(all, brought[i]...); after[i] >= 0 {
			made, failed := m.kind.made(after[i])
			all, err = append(all, made...), cmp.Or(err, failed)
		}
		if borrowed[i] != nil {
			lent = append(lent, borrowed[i])
		}
	}
	return all, lent, err
}

// program is a group's graph: its arguments are the tensors' coefficients side by
// side and their operands.
func (m *Merger) program(g group) func(args []*graph.Node) []*graph.Node {
	return func(args []*graph.Node) []*graph.Node {
		k, stored := m.kind, args[2:]
		var atF, atU int
		columns := func(table *graph.Node, at []int, t int, from *int) *graph.Node {
			begin := *from
			*from += at[t+1] - at[t]
			return graph.Slice(table, graph.AxisRange(), graph.AxisRange(begin, *from))
		}
		var out []*graph.Node
		for _, t := range g.tensors {
			n := k.takes(t)
			y := k.weight(t, columns(args[0], k.atF, t, &atF), columns(args[1], k.atU, t, &atU), stored[:n])
			stored = stored[n:]
			if m.single {
				y = graph.Squeeze(y, 0)
			}
			if !m.wide {
				to, err := deviceType(k.spec.output(k.pop.parents.merged[t].DType))
				if err != nil {
					panic(err)
				}
				y = graph.ConvertDType(y, to)
			}
			out = append(out, y)
		}
		return out
	}
}
