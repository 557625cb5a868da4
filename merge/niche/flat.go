package niche

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// Flat is a flat order of all weights of a model.
type Flat struct {
	// Tensors are named in order. Ends are where each ends, in weights from the first
	// tensor on.
	Tensors []string
	Ends    []int64
	// Columns says that a tensor's elements are taken down its first axis, as if a
	// matrix were transposed; else as they are stored.
	Columns bool
	// Chromosomes are where the stretches end that are split each for itself; the last
	// is the number of weights.
	Chromosomes []int64
}

// Len is the number of weights.
func (f *Flat) Len() int64 { return f.Ends[len(f.Ends)-1] }

// start is where tensor i begins.
func (f *Flat) start(i int) int64 {
	if i == 0 {
		return 0
	}
	return f.Ends[i-1]
}

// Piece is a stretch of segments within one tensor, and where it ends there.
type Piece struct {
	End    int       `json:"end"`
	Shares []float64 `json:"shares"`
}

// Range is where a tensor begins and ends.
func (f *Flat) Range(tensor string) (from, end int64) {
	i := slices.Index(f.Tensors, tensor)
	return f.start(i), f.Ends[i]
}

// Pieces cuts segments at the ends of the tensors: the pieces of each, in order.
func (f *Flat) Pieces(s Segments) map[string][]Piece {
	out := make(map[string][]Piece, len(f.Tensors))
	for i, name := range f.Tensors {
		from, end := f.start(i), f.Ends[i]
		for at, k := from, s.at(from); at < end; k++ {
			at = min(end, s.Ends[k])
			out[name] = append(out[name], Piece{int(at - from), s.Shares[k]})
		}
	}
	return out
}

// at is the segment that a weight lies in.
func (s Segments) at(weight int64) int {
	k, _ := slices.BinarySearch(s.Ends, weight+1)
	return k
}

// measureBlock is how many weights of a checkpoint have a matrix of products.
const measureBlock = 1 << 16

// Measure takes the products of models in a flat order, in one pass over them. They are
// read again, a block at a time, where a split falls within a block; an error of that
// is Gram.Err's.
func Measure(f *Flat, models []tensors.Source) (*Gram, error) {
	r := reader{flat: f, models: models, turned: make([]turned, len(models))}
	return NewGram(f.Len(), len(models), measureBlock, r.read)
}

// reader reads weights by their place in a flat order.
type reader struct {
	flat   *Flat
	models []tensors.Source
	mu     sync.Mutex
	turned []turned // the last one of each model
}

// turned is a tensor in the order of its columns.
type turned struct {
	tensor  string
	weights []float32
}

// read fills dst with the weights of model k from lo on.
func (r *reader) read(k int, lo int64, dst []float32) error {
	f := r.flat
	i, _ := slices.BinarySearch(f.Ends, lo+1)
	for len(dst) > 0 {
		name, off := f.Tensors[i], int(lo-f.start(i))
		n := int(min(int64(len(dst)), f.Ends[i]-lo))
		if err := r.within(k, name, off, dst[:n]); err != nil {
			return fmt.Errorf("%s: %w", r.models[k].Path(), err)
		}
		dst, lo = dst[n:], lo+int64(n)
		i++
	}
	return nil
}

func (r *reader) within(k int, name string, off int, dst []float32) error {
	m := r.models[k]
	info, ok := m.Lookup(name)
	if !ok {
		return fmt.Errorf("no tensor %s", name)
	}
	if !r.flat.Columns || len(info.Shape) < 2 {
		return m.ReadAt(dst, name, off)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.turned[k]
	if t.tensor != name {
		stored := make([]float32, info.Len())
		if err := m.ReadAt(stored, name, 0); err != nil {
			return err
		}
		*t = turned{name, transposed(stored, info.Shape[0])}
	}
	copy(dst, t.weights[off:])
	return nil
}

// Read returns all weights of a model in a flat order.
func (f *Flat) Read(model tensors.Source) ([]float32, error) {
	r := reader{flat: f, models: []tensors.Source{model}, turned: make([]turned, 1)}
	weights := make([]float32, f.Len())
	return weights, r.read(0, 0, weights)
}

// Stored returns the weights of a tensor, of a shape, in the order it is stored in.
func (f *Flat) Stored(weights []float32, tensor string, shape []int) []float32 {
	from, end := f.Range(tensor)
	flat := weights[from:end]
	if !f.Columns || len(shape) < 2 {
		return flat
	}
	return transposed(flat, len(flat)/shape[0])
}

// transposed is a matrix of so many rows, by its columns.
func transposed(matrix []float32, rows int) []float32 {
	columns := len(matrix) / rows
	out := make([]float32, len(matrix))
	for row := range rows {
		for c, v := range matrix[row*columns : (row+1)*columns] {
			out[c*rows+row] = v
		}
	}
	return out
}
