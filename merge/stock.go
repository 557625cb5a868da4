package merge

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// stock is tensors on the device as they are stored, each uploaded once, however many
// parents read it and under whatever names: stacked layers, or the base of adapters.
type stock struct {
	backend compute.Backend
	at      map[string]*gmlx.Tensor // by [tensors.Origin.Key]
}

func newStock(b compute.Backend) *stock { return &stock{b, map[string]*gmlx.Tensor{}} }

func (s *stock) finalize() {
	for _, t := range s.at {
		_ = t.FinalizeAll()
	}
	s.at = nil
}

// held is a parent's tensor on the device: what is stored, then the factors of what is
// added to it.
type held struct {
	tensors []*gmlx.Tensor
	dtype   tensors.DType
	add     []*tensors.Product
	lengths []bool // whether a product has them
}

// alike says what is the same of tensors that one graph reads.
func (h held) alike() string {
	key := fmt.Sprint(" ", h.dtype)
	for i, p := range h.add {
		key += fmt.Sprint(" ", p.Rows, p.Cols, p.Rank, math.Float32bits(p.Scale), p.Left == "", p.Transposed, h.lengths[i])
	}
	return key
}

// hold uploads a tensor of a source, or finds it.
func (s *stock) hold(from tensors.Source, name string) (held, error) {
	o := tensors.OriginOf(from, name)
	info, ok := o.Source.Lookup(o.Name)
	if !ok {
		return held{}, fmt.Errorf("no tensor %s in %s", o.Name, o.Source.Path())
	}
	h := held{dtype: info.DType, add: o.Add}
	take := func(src tensors.Source, name string) error {
		x, err := s.take(src, name)
		h.tensors = append(h.tensors, x)
		return err
	}
	if err := take(o.Source, o.Name); err != nil {
		return held{}, err
	}
	for _, p := range o.Add {
		h.lengths = append(h.lengths, p.Lengths != nil)
		if p.Left != "" {
			if err := take(p.From, p.Left); err != nil {
				return held{}, err
			}
		}
		if err := take(p.From, p.Right); err != nil {
			return held{}, err
		}
		if p.Lengths != nil {
			key := "lengths " + tensors.Origin{Source: p.From, Name: p.Right}.Key()
			if s.at[key] == nil {
				l, err := p.Lengths()
				if err != nil {
					return held{}, err
				}
				s.at[key] = gmlx.FromFlatDataAndDimensions(l, len(l))
			}
			h.tensors = append(h.tensors, s.at[key])
		}
	}
	return h, nil
}

// take uploads a stored tensor in its type and shape, or finds it.
func (s *stock) take(from tensors.Source, name string) (x *gmlx.Tensor, err error) {
	key := tensors.Origin{Source: from, Name: name}.Key()
	if x, ok := s.at[key]; ok {
		return x, nil
	}
	info, _ := from.Lookup(name)
	d, err := storedAs(from, name)
	if err != nil {
		return nil, err
	}
	err = from.Stored(name, 0, info.Len(), func(raw []byte) error {
		x, err = gmlx.FromRaw(s.backend, 0, shapes.Make(d, info.Shape...), raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.at[key] = x
	return x, nil
}

// read is the tensor inside a graph, [1, N], as [tensors.Product] says: elementwise, so
// that the bits are those that a view reads on the host.
func (h held) read(nodes []*graph.Node) *graph.Node {
	x := graph.Reshape(nodes[0], 1, nodes[0].Shape().Size())
	nodes = nodes[1:]
	next := func() *graph.Node {
		n := graph.ConvertDType(nodes[0], dtypes.Float32)
		nodes = nodes[1:]
		return n
	}
	for i, p := range h.add {
		var left, lengths *graph.Node
		if p.Left != "" {
			left = next()
		}
		right := next()
		if h.lengths[i] {
			lengths = next()
		}
		y := graph.Reshape(graph.ConvertDType(x, dtypes.Float32), p.Rows, p.Cols)
		y = graph.Add(y, apart(graph.MulScalar(lowRank(p, left, right), p.Scale)))
		if lengths != nil {
			dims := []int{p.Rows, 1}
			if p.Transposed {
				dims = []int{1, p.Cols}
			}
			y = graph.Mul(y, graph.BroadcastToShape(graph.Reshape(lengths, dims...), y.Shape()))
		}
		y, err := rounded(y, h.dtype)
		if err != nil {
			panic(err)
		}
		x = graph.Reshape(y, 1, p.Rows*p.Cols)
	}
	return x
}

// lowRank is the product of a's factors, [Rows, Cols]. It is unrolled over the rank and
// not a product of matrices, which every backend sums in an order of its own.
func lowRank(p *tensors.Product, left, right *graph.Node) *graph.Node {
	// The axis of a factor that is the rank; the other is rows or columns.
	rankOfLeft, rankOfRight := 1, 0
	if p.Transposed {
		rankOfLeft, rankOfRight = 0, 1
	}
	pick := func(factor *graph.Node, first, second, axis, k int, dims ...int) *graph.Node {
		f := graph.Reshape(factor, first, second)
		f = graph.Reshape(graph.SliceAxis(f, axis, graph.AxisElem(k)), dims...)
		return graph.BroadcastToDims(f, p.Rows, p.Cols)
	}
	var sum *graph.Node
	for k := range p.Rank {
		first, second := p.Rank, p.Cols
		if p.Transposed {
			first, second = p.Cols, p.Rank
		}
		y := pick(right, first, second, rankOfRight, k, 1, p.Cols)
		if left != nil {
			first, second = p.Rows, p.Rank
			if p.Transposed {
				first, second = p.Rank, p.Rows
			}
			y = apart(graph.Mul(pick(left, first, second, rankOfLeft, k, p.Rows, 1), y))
		}
		if sum == nil {
			sum = y
			continue
		}
		sum = graph.Add(sum, y)
	}
	return sum
}

// apart keeps a product and the sum that it goes into from being fused into one operation
// that rounds once, by a select between the two that no compiler can take away: a product
// may not be a number.
func apart(x *graph.Node) *graph.Node {
	return graph.Where(graph.Equal(x, x), x, graph.ZerosLike(x))
}

// Resident returns the bytes of sources' float tensors on a device, each counted once
// that several read.
func Resident(sources []tensors.Source) int64 {
	keys := map[string]int64{}
	for _, s := range sources {
		for _, t := range s.Tensors() {
			if t.DType.Float() {
				for k, n := range tensors.OriginOf(s, t.Name).Keys() {
					keys[k] = n
				}
			}
		}
	}
	var sum int64
	for _, n := range keys {
		sum += n
	}
	return sum
}
