package align

import (
	"context"
	"math"
	"sync"

	"github.com/mergevo/mergevo/internal/dense"
	"github.com/mergevo/mergevo/tensors"
)

// Distance is how far two models lie from each other in a tensor: the root of the sum of
// the squares of the differences, with the second model as it is and in new orders; the
// root of the sum of the squares of the first one's numbers; and the sums of the products,
// which is what orders are chosen by.
type Distance struct {
	Tensor        string  `json:"tensor,omitempty"`
	Before        float64 `json:"before"`
	After         float64 `json:"after"`
	Norm          float64 `json:"norm"`
	ProductBefore float64 `json:"product_before"`
	ProductAfter  float64 `json:"product_after"`
}

// Distances compares a with b and with what b is in other orders, in every tensor of
// numbers that both have in one shape, sorted by name.
func Distances(ctx context.Context, a, b, moved tensors.Source) ([]Distance, error) {
	var list []Distance
	for _, t := range a.Tensors() {
		u, ok := b.Lookup(t.Name)
		if !ok || !t.DType.Float() || !u.DType.Float() || t.Len() != u.Len() {
			continue
		}
		list = append(list, Distance{Tensor: t.Name})
	}
	errs := make([]error, len(list))
	dense.Each(len(list), func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = list[i].measure(a, b, moved)
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// piece is how many numbers of a tensor are compared at once.
const piece = 1 << 16

// three is room for a piece of each of three models.
type three [3][piece]float32

var threes = sync.Pool{New: func() any { return new(three) }}

// measure sums over a tensor, a piece at a time, in float64.
func (d *Distance) measure(a, b, moved tensors.Source) error {
	info, _ := a.Lookup(d.Tensor)
	n := info.Len()
	room := threes.Get().(*three)
	defer threes.Put(room)
	x, y, z := room[0][:], room[1][:], room[2][:]
	for off := 0; off < n; off += piece {
		m := min(piece, n-off)
		for _, r := range []struct {
			src tensors.Source
			to  []float32
		}{{a, x}, {b, y}, {moved, z}} {
			if err := r.src.ReadAt(r.to[:m], d.Tensor, off); err != nil {
				return err
			}
		}
		for i, v := range x[:m] {
			v, y, z := float64(v), float64(y[i]), float64(z[i])
			d.Before += (v - y) * (v - y)
			d.After += (v - z) * (v - z)
			d.Norm += v * v
			d.ProductBefore += v * y
			d.ProductAfter += v * z
		}
	}
	d.Before, d.After, d.Norm = math.Sqrt(d.Before), math.Sqrt(d.After), math.Sqrt(d.Norm)
	return nil
}

// Whole joins the distances of tensors to that of models.
func Whole(list []Distance) (whole Distance) {
	for _, d := range list {
		whole.Before += d.Before * d.Before
		whole.After += d.After * d.After
		whole.Norm += d.Norm * d.Norm
		whole.ProductBefore += d.ProductBefore
		whole.ProductAfter += d.ProductAfter
	}
	whole.Before, whole.After, whole.Norm = math.Sqrt(whole.Before), math.Sqrt(whole.After), math.Sqrt(whole.Norm)
	return whole
}
