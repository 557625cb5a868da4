package view

import (
	"fmt"
	"slices"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// A Place is a stretch of an axis of a tensor whose blocks change their order: element
// At + u·Block + i of the axis reads element At + order[u]·Block + i of what is behind,
// for every unit u and 0 ≤ i < Block.
type Place struct {
	Tensor          string
	Axis, At, Block int
	// Order is the position of the order among those of the view.
	Order int
	// Group is the number of units that a block stands for, if more than 1: units g·Group
	// to (g+1)·Group of the order come from one such group, and it is groups that move.
	Group int
}

// Span is the number of blocks that an order of n units moves.
func (p Place) Span(n int) int { return n / max(1, p.Group) }

// permuted is src with blocks of some axes in another order.
type permuted struct {
	catalog
	src    tensors.Source
	places map[string][]Place
	sizes  []int
	orders func() ([][]int, error)

	mu   sync.Mutex
	maps map[string][][]int // by tensor and axis; nil where an axis stays
}

// Permute returns src with the blocks at places in the orders that are given, when
// numbers are first read, by a function: order k is a permutation of 0 … sizes[k]-1.
// A function that fails is asked again at the next reading. Names, types and shapes
// stay those of src, and so do numbers, to the bit.
//
// A place that is in no tensor, or beyond its end, is an error that lists them all.
// Reading part of a row whose columns move reads the row.
func Permute(src tensors.Source, places []Place, sizes []int, orders func() ([][]int, error)) (tensors.Source, error) {
	v := &permuted{catalog: newCatalog(src.Path(), src.Tensors()), src: src, places: map[string][]Place{}, sizes: slices.Clone(sizes), orders: orders}
	var problems []string
	for _, p := range places {
		t, ok := src.Lookup(p.Tensor)
		switch {
		case !ok:
			problems = append(problems, p.Tensor+": there is no such tensor")
		case t.DType.Size() == 0:
			problems = append(problems, fmt.Sprintf("%s: is %v, whose elements are no whole bytes", p.Tensor, t.DType))
		case p.Order < 0 || p.Order >= len(sizes) || p.Block < 1 || p.At < 0:
			problems = append(problems, fmt.Sprintf("%s: a place without sense: %+v", p.Tensor, p))
		case p.Axis < 0 || p.Axis >= len(t.Shape):
			problems = append(problems, fmt.Sprintf("%s: shape %v has no axis %d", p.Tensor, t.Shape, p.Axis))
		case p.At+p.Span(sizes[p.Order])*p.Block > t.Shape[p.Axis]:
			problems = append(problems, fmt.Sprintf("%s: shape %v, where axis %d would have %d blocks of %d from %d on", p.Tensor, t.Shape, p.Axis, p.Span(sizes[p.Order]), p.Block, p.At))
		default:
			v.places[p.Tensor] = append(v.places[p.Tensor], p)
		}
	}
	return v, refuse(src.Path()+" cannot be permuted like that", problems)
}

// axes returns, for each axis of a tensor, where its elements are read, nil where each is
// read in its own place; nil where that is so for every axis.
func (v *permuted) axes(t tensors.Info) ([][]int, error) {
	places := v.places[t.Name]
	if places == nil {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.maps == nil {
		orders, err := v.orders()
		if err != nil {
			return nil, err
		}
		if err := checkOrders(orders, v.sizes); err != nil {
			return nil, fmt.Errorf("%s: %w", v.path, err)
		}
		maps := map[string][][]int{}
		for name, places := range v.places {
			info, _ := v.src.Lookup(name)
			maps[name] = Indices(info.Shape, places, orders)
		}
		v.maps = maps
	}
	return v.maps[t.Name], nil
}

// checkOrders refuses what are no permutations of those sizes.
func checkOrders(orders [][]int, sizes []int) error {
	if len(orders) != len(sizes) {
		return fmt.Errorf("%d orders, want %d", len(orders), len(sizes))
	}
	for k, order := range orders {
		seen := make([]bool, sizes[k])
		for _, u := range order {
			if u < 0 || u >= len(seen) || seen[u] || len(order) != len(seen) {
				return fmt.Errorf("order %d is no permutation of %d units", k, sizes[k])
			}
			seen[u] = true
		}
		if len(order) != len(seen) {
			return fmt.Errorf("order %d is no permutation of %d units", k, sizes[k])
		}
	}
	return nil
}

// Indices returns where the elements of each axis of a tensor are read when blocks at
// places of it are in the orders given: nil for an axis that stays, nil if all do.
func Indices(shape []int, places []Place, orders [][]int) [][]int {
	axes := make([][]int, len(shape))
	moved := false
	for _, p := range places {
		order, group := orders[p.Order], max(1, p.Group)
		for u := range p.Span(len(order)) {
			from := order[u*group] / group
			if from == u {
				continue
			}
			moved = true
			if axes[p.Axis] == nil {
				axes[p.Axis] = make([]int, shape[p.Axis])
				for i := range axes[p.Axis] {
					axes[p.Axis][i] = i
				}
			}
			for i := range p.Block {
				axes[p.Axis][p.At+u*p.Block+i] = p.At + from*p.Block + i
			}
		}
	}
	if !moved {
		return nil
	}
	return axes
}
