package merge

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// stock is tensors on the device as they are stored, each uploaded once, however many
// parents read it and under whatever names: stacked layers, or the base of adapters.
//
// Elsewhere than on the device it has the factors of adapters there alone, which are
// small: the rest is brought for each merge.
type stock struct {
	backend compute.Backend
	place   Placement
	at      map[string]*gmlx.Tensor // by [tensors.Origin.Key]
	raw     map[string][]byte       // InHost: likewise
}

func newStock(b compute.Backend, at Placement) *stock {
	return &stock{b, at, map[string]*gmlx.Tensor{}, map[string][]byte{}}
}

func (s *stock) finalize() {
	for _, t := range s.at {
		_ = t.FinalizeAll()
	}
	s.at, s.raw = nil, nil
}

// held is a parent's tensor: what is stored, then the factors of what is added to it.
type held struct {
	from    tensors.Source
	name    string
	tensors []*gmlx.Tensor // the first is nil where it is brought for each merge
	dtype   tensors.DType
	add     []*tensors.Product
	lengths []bool // whether a product has them
}

// hold uploads a tensor of a source, or finds it.
func (s *stock) hold(from tensors.Source, name string) (held, error) {
	o := tensors.OriginOf(from, name)
	info, ok := o.Source.Lookup(o.Name)
	if !ok {
		return held{}, fmt.Errorf("no tensor %s in %s", o.Name, o.Source.Path())
	}
	h := held{from: o.Source, name: o.Name, dtype: info.DType, add: o.Add}
	take := func(src tensors.Source, name string) error {
		x, err := s.take(src, name)
		h.tensors = append(h.tensors, x)
		return err
	}
	switch s.place {
	case OnDevice:
		if err := take(o.Source, o.Name); err != nil {
			return held{}, err
		}
	case InHost:
		if err := s.copy(o); err != nil {
			return held{}, err
		}
		fallthrough
	case OnDisk:
		h.tensors = append(h.tensors, nil)
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
	if x, err = s.upload(from, name); err == nil {
		s.at[key] = x
	}
	return x, err
}

// upload copies a stored tensor to the device, from host memory if it is there.
func (s *stock) upload(from tensors.Source, name string) (x *gmlx.Tensor, err error) {
	info, _ := from.Lookup(name)
	d, err := storedAs(from, name)
	if err != nil {
		return nil, err
	}
	send := func(raw []byte) error {
		x, err = gmlx.FromRaw(s.backend, 0, shapes.Make(d, info.Shape...), raw)
		return err
	}
	if raw, ok := s.raw[tensors.Origin{Source: from, Name: name}.Key()]; ok {
		return x, send(raw)
	}
	return x, from.Stored(name, 0, info.Len(), send)
}

// copy keeps a stored tensor in host memory.
func (s *stock) copy(o tensors.Origin) error {
	info, _ := o.Source.Lookup(o.Name)
	if s.raw[o.Key()] != nil {
		return nil
	}
	return o.Source.Stored(o.Name, 0, info.Len(), func(raw []byte) error {
		s.raw[o.Key()] = slices.Clone(raw)
		return nil
	})
}

// bring returns all of a parent's tensors on the device. What is not there to stay is
// lent, and to be freed after use. It may be called from several goroutines.
func (s *stock) bring(h held) (all []*gmlx.Tensor, lent *gmlx.Tensor, err error) {
	if h.tensors[0] != nil {
		return h.tensors, nil, nil
	}
	if lent, err = s.upload(h.from, h.name); err != nil {
		return nil, nil, err
	}
	all = slices.Clone(h.tensors)
	all[0] = lent
	return all, lent, nil
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

// likeness is equal for tensors that are read alike inside a graph.
func (h held) likeness() string {
	key := fmt.Sprint(" ", h.dtype)
	for i, p := range h.add {
		key += fmt.Sprint(p.Rows, p.Cols, p.Rank, math.Float32bits(p.Scale), p.Left == "", p.Transposed, h.lengths[i])
	}
	return key
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
