package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/bench/floor"
	"github.com/mergevo/mergevo/tensors"
)

// agreementSize is in billions of parameters: the numbers agree or do not at any size.
const agreementSize = 0.02

// agreement merges a family every way, once, and compares entry by entry: what is
// timed must do the same work. mergekit computes in float32 here, as mergevo always
// does; in what is timed it computes in bfloat16.
func (b *bench) agreement(ctx context.Context, p *printer, dir string, s family.Shape) error {
	models := map[string]model{}
	for _, name := range family.Models {
		m, err := checkpoint(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		models[name] = m
	}
	var rows [][]string
	var bad error
	for _, m := range b.methods {
		recipe, err := m.write(dir, "", timedType)
		if err != nil {
			return err
		}
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
		if _, err := b.apply(ctx, dir, recipe, shard(s), nil); err != nil {
			return err
		}
		ours, err := checkpoint(filepath.Join(dir, "out"))
		if err != nil {
			return err
		}
		row := []string{m.name, fmt.Sprint(s.Parameters())}
		for _, other := range []func(context.Context, method, string, int64) (model, error){b.byC, b.byMergekit} {
			theirs, err := other(ctx, m, dir, shard(s))
			if err != nil {
				return err
			}
			if theirs == nil {
				row = append(row, "-", "-", "-")
				continue
			}
			d, err := compare(m, models, ours, theirs)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			row = append(row, fmt.Sprint(d.any), fmt.Sprint(d.far), fmt.Sprint(d.cut))
			if d.far > d.cut && bad == nil {
				bad = fmt.Errorf("%s: %d of %d entries differ by more than rounding, %d of them at a cut among equals: the two do not do the same work", m.name, d.far, s.Parameters(), d.cut)
			}
		}
		rows = append(rows, row)
	}
	p.table("Entries in which mergevo's output differs; far: by more than a bfloat16 step and than float32 explains; cut: of these, at a cut among equals",
		[]string{"method", "of", "from C", "far", "cut", "from mergekit in float32", "far", "cut"}, rows)
	if bad != nil {
		return bad
	}
	return b.clean(ctx, dir)
}

// byC is the C floor's output; nil where it has none.
func (b *bench) byC(ctx context.Context, m method, dir string, _ int64) (model, error) {
	if m.floor.Method == "" || b.program == "" {
		return nil, nil
	}
	if err := b.clean(ctx, dir); err != nil {
		return nil, err
	}
	plan, placed, err := m.plan(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "out")
	if _, err := command(ctx, dir, nil, b.program, "1", plan, path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := model{}
	for _, t := range placed {
		out[t.Name] = words(data[t.At : t.At+2*int64(t.Len)])
	}
	return out, nil
}

// byMergekit is mergekit's output; nil without it, or with other noise.
func (b *bench) byMergekit(ctx context.Context, m method, dir string, shard int64) (model, error) {
	if b.mergekit == "" || m.random {
		return nil, nil
	}
	if err := b.clean(ctx, dir); err != nil {
		return nil, err
	}
	recipe, err := m.write(dir, "-float32", "dtype: float32\nout_dtype: bfloat16\n")
	if err != nil {
		return nil, err
	}
	if _, err := b.kit(ctx, dir, recipe, shard); err != nil {
		return nil, err
	}
	return checkpoint(filepath.Join(dir, "out"))
}

// checkpoint reads the tensors of a model of bfloat16.
func checkpoint(dir string) (model, error) {
	c, err := tensors.Open(dir)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := model{}
	for _, t := range c.Tensors() {
		if t.DType != tensors.BF16 {
			return nil, fmt.Errorf("%s: tensor %s is %v, not BF16", dir, t.Name, t.DType)
		}
		b, err := c.Raw(t.Name)
		if err != nil {
			return nil, err
		}
		out[t.Name] = words(b)
	}
	return out, nil
}

func words(b []byte) []uint16 {
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out
}

// difference counts entries: that differ, that differ by more than a step and by more
// than the method's slack, and of those the ones at a cut among equals, where any
// choice is right.
type difference struct{ any, far, cut int }

// model is a checkpoint of bfloat16 by tensor.
type model map[string][]uint16

// compare takes the family's models by name.
func compare(m method, models map[string]model, a, b model) (d difference, err error) {
	if len(a) != len(b) {
		return d, fmt.Errorf("%d tensors and %d", len(a), len(b))
	}
	for name, x := range a {
		y := b[name]
		if len(x) != len(y) {
			return d, fmt.Errorf("tensor %s has %d entries and %d", name, len(x), len(y))
		}
		var far []int
		for i := range x {
			if x[i] == y[i] {
				continue
			}
			d.any++
			if steps(x[i], y[i]) <= 1 {
				continue
			}
			var sum float64
			for _, input := range m.inputs {
				sum += math.Abs(wide(models[input][name][i]))
			}
			// Not <=: NaN is far from everything.
			if !(math.Abs(wide(x[i])-wide(y[i])) <= m.slack*0x1p-24*sum) {
				far = append(far, i)
			}
		}
		d.far += len(far)
		if len(far) == 0 || m.floor.Density == 0 {
			continue
		}
		at := make([]bool, len(x)) // entries at a cut of either model
		for _, input := range m.inputs[1:] {
			atCut(m.floor, models[input][name], models[m.inputs[0]][name], at)
		}
		for _, i := range far {
			if at[i] {
				d.cut++
			}
		}
	}
	return d, nil
}

func wide(v uint16) float64 { return float64(math.Float32frombits(uint32(v) << 16)) }

// atCut marks the entries whose |x - b| is that at one of the merge's cuts.
func atCut(m floor.Merge, x, b []uint16, mark []bool) {
	mag := make([]float32, len(x))
	for i := range x {
		mag[i] = float32(math.Abs(wide(x[i]) - wide(b[i])))
	}
	sorted := slices.Sorted(slices.Values(mag))
	counts := m.Counts(len(x))
	for _, n := range counts {
		if m.Method == "ties" {
			n = len(x) - n + 1 // the n largest begin there
		}
		if n < 1 || n > len(x) {
			continue
		}
		for i := range mag {
			mark[i] = mark[i] || mag[i] == sorted[n-1]
		}
	}
}

// steps is how many bfloat16 values lie from one to another; 0 and -0 are one value.
func steps(a, b uint16) int {
	line := func(v uint16) int {
		if v&0x8000 != 0 {
			return -int(v & 0x7fff)
		}
		return int(v)
	}
	d := line(a) - line(b)
	return max(d, -d)
}
