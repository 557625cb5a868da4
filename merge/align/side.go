package align

import (
	"fmt"

	"github.com/mergevo/mergevo/internal/dense"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// side is what is compared: the mean of some models, each in orders of its own.
type side struct {
	sources []tensors.Source
	orders  []Orders
}

// columns is how many numbers of each unit are multiplied at once.
const columns = 512

// scratch is memory that visits use one after the other.
type scratch struct {
	sums   [2][]float64
	strips [2]strip
	read   [][]float32
}

// square is a matrix of n × n zeros, in buffer k.
func (s *scratch) square(k, n int) dense.Matrix {
	s.sums[k] = sized(s.sums[k], n*n)
	clear(s.sums[k])
	return dense.Of(n, n, s.sums[k])
}

// strip is an empty strip, in buffer k.
func (s *scratch) strip(k, units int, rows bool) *strip {
	s.strips[k] = strip{units: units, rows: rows, data: s.strips[k].data}
	return &s.strips[k]
}

// floats is n numbers of any value, in buffer k.
func (s *scratch) floats(k, n int) []float32 {
	for len(s.read) <= k {
		s.read = append(s.read, nil)
	}
	s.read[k] = sized(s.read[k], n)
	return s.read[k]
}

// sized is a slice of n, x where that is long enough.
func sized[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// strip is numbers of the units at a place: entry c·n + u is number c of unit u, or where
// units lie in rows u·columns + c.
type strip struct {
	units, numbers int
	rows           bool
	data           []float64
}

// matrix is a strip as numbers × units or units × numbers, turned to units × numbers.
func (s *strip) matrix() dense.Matrix {
	if s.rows {
		return dense.Of(s.units, s.numbers, s.data)
	}
	return dense.Of(s.numbers, s.units, s.data).T()
}

// strips reads two sides at a place, piece after piece, as matrices of units × numbers.
// The second side is read as if units of the place's own permutation stood where they
// are stored. Units are blocks of the place; all models have the same shapes.
func (s *Spec) strips(p view.Place, a, b side, in *scratch, use func(a, b dense.Matrix)) error {
	info, ok := a.sources[0].Lookup(p.Tensor)
	if !ok {
		return fmt.Errorf("%s: %w: %q", a.sources[0].Path(), tensors.ErrNoTensor, p.Tensor)
	}
	r := &reading{spec: s, place: p, shape: info.Shape, units: p.Span(s.Permutations[p.Order].Units), post: 1, scratch: in}
	for _, d := range info.Shape[p.Axis+1:] {
		r.post *= d
	}
	if p.Axis == 0 {
		return r.byRow(a, b, use)
	}
	return r.byColumn(a, b, use)
}

// reading is a tensor's numbers by unit.
type reading struct {
	spec        *Spec
	place       view.Place
	shape       []int
	units, post int
	scratch     *scratch
}

// maps are where a model's elements are read, by axis: own says whether the place's own
// permutation counts.
func (r *reading) maps(o Orders, own bool) [][]int {
	places := r.spec.places(r.place.Tensor)
	if !own {
		var others []view.Place
		for _, q := range places {
			if q.Order != r.place.Order {
				others = append(others, q)
			}
		}
		places = others
	}
	if m := view.Indices(r.shape, places, o); m != nil {
		return m
	}
	return make([][]int, len(r.shape))
}

// inner are the places of the elements behind an axis, nil for each in its own.
func inner(shape []int, maps [][]int) []int {
	moved := false
	for _, m := range maps {
		moved = moved || m != nil
	}
	if !moved {
		return nil
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	out := make([]int, n)
	for i := range out {
		row, stride := i, 1
		for k := len(shape) - 1; k >= 0; k-- {
			at := row % shape[k]
			row /= shape[k]
			if maps[k] != nil {
				at = maps[k][at]
			}
			out[i] += at * stride
			stride *= shape[k]
		}
	}
	return out
}

// byRow reads units that are rows of the first axis; the tensor is read whole.
func (r *reading) byRow(a, b side, use func(a, b dense.Matrix)) error {
	width := r.place.Block * r.post // numbers of a unit
	buffers := 0
	load := func(s side, own bool) (data [][]float32, in [][]int, axis [][]int, err error) {
		for i, src := range s.sources {
			x := r.scratch.floats(buffers, r.units*width)
			buffers++
			if err := src.ReadAt(x, r.place.Tensor, r.place.At*r.post); err != nil {
				return nil, nil, nil, err
			}
			maps := r.maps(s.orders[i], own)
			data, in, axis = append(data, x), append(in, inner(r.shape[1:], maps[1:])), append(axis, maps[0])
		}
		return data, in, axis, nil
	}
	dataA, inA, axisA, err := load(a, true)
	if err != nil {
		return err
	}
	dataB, inB, axisB, err := load(b, false)
	if err != nil {
		return err
	}
	sa, sb := r.scratch.strip(0, r.units, true), r.scratch.strip(1, r.units, true)
	for c0 := 0; c0 < width; c0 += columns {
		n := min(columns, width-c0)
		for _, s := range []struct {
			to   *strip
			data [][]float32
			in   [][]int
			axis [][]int
		}{{sa, dataA, inA, axisA}, {sb, dataB, inB, axisB}} {
			s.to.reset(n)
			for i := range s.data {
				r.packRows(s.to, s.data[i], s.in[i], s.axis[i], c0)
			}
			s.to.divide(len(s.data))
		}
		use(sa.matrix(), sb.matrix())
	}
	return nil
}

func (s *strip) reset(numbers int) {
	s.numbers = numbers
	s.data = sized(s.data, s.units*numbers)
	clear(s.data)
}

func (s *strip) divide(by int) {
	if by == 1 {
		return
	}
	for i := range s.data {
		s.data[i] /= float64(by)
	}
}

// packRows adds numbers [c0, c0+n) of each unit. data begins at the first unit.
func (r *reading) packRows(to *strip, data []float32, in, axis []int, c0 int) {
	dense.Each(r.units, func(u int) {
		out := to.data[u*to.numbers:][:to.numbers]
		for k := range out {
			block, q := (c0+k)/r.post, (c0+k)%r.post
			row := u*r.place.Block + block
			if axis != nil {
				row = axis[r.place.At+row] - r.place.At
			}
			if in != nil {
				q = in[q]
			}
			out[k] += float64(data[row*r.post+q])
		}
	})
}

// byColumn reads units that lie on a later axis, some rows of the first at a time.
func (r *reading) byColumn(a, b side, use func(a, b dense.Matrix)) error {
	pre, slab := 1, r.post
	for _, d := range r.shape[:r.place.Axis] {
		pre *= d
	}
	slab *= r.shape[r.place.Axis]
	width := r.place.Block * r.post
	rows := max(1, columns/width)
	sa, sb := r.scratch.strip(0, r.units, false), r.scratch.strip(1, r.units, false)
	buf := r.scratch.floats(0, rows*slab)
	for p0 := 0; p0 < pre; p0 += rows {
		n := min(rows, pre-p0)
		for _, s := range []struct {
			to  *strip
			of  side
			own bool
		}{{sa, a, true}, {sb, b, false}} {
			s.to.reset(n * width)
			for i, src := range s.of.sources {
				maps := r.maps(s.of.orders[i], s.own)
				lead := inner(r.shape[:r.place.Axis], maps[:r.place.Axis])
				if err := r.readRows(buf[:n*slab], src, lead, p0, slab); err != nil {
					return err
				}
				r.packColumns(s.to, buf, inner(r.shape[r.place.Axis+1:], maps[r.place.Axis+1:]), maps[r.place.Axis], slab, n)
			}
			s.to.divide(len(s.of.sources))
		}
		use(sa.matrix(), sb.matrix())
	}
	return nil
}

// readRows reads rows from p0 on, where the leading axes have them.
func (r *reading) readRows(to []float32, src tensors.Source, lead []int, p0, slab int) error {
	if lead == nil {
		return src.ReadAt(to, r.place.Tensor, p0*slab)
	}
	for i := 0; i*slab < len(to); i++ {
		if err := src.ReadAt(to[i*slab:(i+1)*slab], r.place.Tensor, lead[p0+i]*slab); err != nil {
			return err
		}
	}
	return nil
}

// packColumns adds the numbers of each unit in n rows.
func (r *reading) packColumns(to *strip, data []float32, in, axis []int, slab, n int) {
	width := r.place.Block * r.post
	dense.Each(n, func(i int) {
		for c := range width {
			block, q := c/r.post, c%r.post
			if in != nil {
				q = in[q]
			}
			out := to.data[(i*width+c)*r.units:][:r.units]
			from := data[i*slab+q:]
			for u := range out {
				col := r.place.At + u*r.place.Block + block
				if axis != nil {
					col = axis[col]
				}
				out[u] += float64(from[col*r.post])
			}
		}
	})
}
