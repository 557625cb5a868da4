package adapters

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/mergevo/mergevo/tensors"
)

// Sum is a weighted sum of adapters, ready to be written.
type Sum struct {
	set   *Set
	list  []summand
	dtype tensors.DType // that is written
}

// summand is a module's part of a sum.
type summand struct {
	module
	rank int // that is written
	made func() (*made, error)
	bias func(dst []float32) error // nil without one
}

// made is what is written of a module's change, before it is rounded.
type made struct {
	*factors
	of      int                    // the rank of the whole
	kept    float64                // the part of its squares
	squares float64                // of the whole
	apart   func(*factors) float64 // squares of the whole's difference to a product
}

// Sum prepares the sum of the adapters' products, each times the weight that coef gives
// it in a tensor of [Set.Products]. dtype 0 is the type that the first adapter has.
// A cut by energy reads all factors to find the ranks.
func (s *Set) Sum(ctx context.Context, coef func(tensor string) ([]float64, error), cut Cut, dtype tensors.DType) (*Sum, error) {
	return s.prepare(ctx, cut, dtype, func(m module) (*summand, error) {
		c, err := coef(m.weight())
		if err != nil {
			return nil, err
		}
		e := &summand{module: m, rank: s.rank(m, c)}
		e.made = func() (*made, error) {
			whole, err := s.sum(m, c)
			if err != nil {
				return nil, err
			}
			f, kept, err := cut.short(whole)
			return &made{f, s.rank(m, c), kept, whole.squares(), whole.apart}, err
		}
		if s.biased(m) {
			if c, err = coef(m.bias()); err != nil {
				return nil, err
			}
			e.bias = func(dst []float32) error { return s.sumBias(dst, m, c) }
		}
		return e, nil
	})
}

// Dense prepares what any merge made of the adapters' products, under the names of
// [Set.Products]: the nearest product of the cut's rank.
func (s *Set) Dense(ctx context.Context, merged tensors.Source, cut Cut, dtype tensors.DType) (*Sum, error) {
	return s.prepare(ctx, cut, dtype, func(m module) (*summand, error) {
		rows, cols := matrix(m.Shape)
		e := &summand{module: m, rank: min(rows, cols)}
		e.made = func() (*made, error) { return cut.dense(merged, m.weight(), rows, cols) }
		if s.biased(m) {
			e.bias = func(dst []float32) error { return merged.ReadAt(dst, m.bias(), 0) }
		}
		return e, nil
	})
}

func (s *Set) prepare(ctx context.Context, cut Cut, dtype tensors.DType, each func(module) (*summand, error)) (*Sum, error) {
	sum := &Sum{set: s, dtype: dtype}
	if dtype == 0 {
		sum.dtype = s.stored()
	}
	for _, m := range s.modules {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := each(m)
		if err != nil {
			return nil, err
		}
		rows, cols := matrix(m.Shape)
		if cut.Rank > 0 && e.rank > cut.Rank {
			e.rank = min(cut.Rank, rows, cols)
		}
		if e.rank == 0 {
			continue
		}
		if cut.Energy > 0 {
			f, err := e.made()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.Name, err)
			}
			_, e.rank = f.left.Dims()
		}
		sum.list = append(sum.list, *e)
	}
	if len(sum.list) == 0 {
		return nil, errors.New("every weight is 0: nothing is left of the adapters")
	}
	return sum, nil
}

// stored is the type of the first adapter's first factor.
func (s *Set) stored() tensors.DType {
	t, _ := s.list[0].Weights().Lookup(s.own[0][0].Down)
	return t.DType
}

// Layout lists the tensors that are written.
func (s *Sum) Layout() []tensors.Info {
	var out []tensors.Info
	add := func(name string, shape ...int) {
		out = append(out, tensors.Info{Name: name, DType: s.dtype, Shape: shape})
	}
	for _, e := range s.list {
		add(s.set.down(e.module), append([]int{e.rank}, e.Shape[1:]...)...)
		up := []int{e.Shape[0], e.rank}
		for range e.Shape[2:] {
			up = append(up, 1)
		}
		add(s.set.up(e.module), up...)
		if e.bias != nil {
			add(s.set.upBias(e.module), e.Shape[0])
		}
		if s.set.alphas {
			add(s.set.alpha(e.module))
		}
		if t, ok := s.set.copied(e.module); ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b tensors.Info) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Write writes the sum to a writer of its layout, and says what each module keeps. Of
// each written tensor done is told the bytes.
func (s *Sum) Write(ctx context.Context, w *tensors.Writer, done func(module string, bytes int64)) ([]Kept, error) {
	var list []Kept
	for _, e := range s.list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k, n, err := s.write(w, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		list = append(list, k)
		done(e.Name, n)
	}
	return list, nil
}

func (s *Sum) write(w *tensors.Writer, e summand) (Kept, int64, error) {
	whole, err := e.made()
	if err != nil {
		return Kept{}, 0, err
	}
	k := Kept{Module: e.Name, Rank: e.rank, Of: whole.of, Energy: whole.kept, squares: whole.squares}
	f := whole.padded(e.rank)
	var n int64
	put := func(name string, m *mat.Dense) *mat.Dense {
		x := make([]float32, len(m.RawMatrix().Data))
		for i, v := range m.RawMatrix().Data {
			x[i] = float32(v)
		}
		back, bad := rounded(x, s.dtype)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, bad))
			return m
		}
		n += int64(len(x) * s.dtype.Size())
		err = errors.Join(err, w.WriteAt(x, name, 0))
		rows, cols := m.Dims()
		return mat.NewDense(rows, cols, back)
	}
	written := &factors{right: put(s.set.down(e.module), f.right), left: put(s.set.up(e.module), f.left)}
	if err == nil && e.bias != nil {
		x := make([]float32, e.Shape[0])
		if err = e.bias(x); err == nil {
			err = w.WriteAt(x, s.set.upBias(e.module), 0)
		}
	}
	if err == nil && s.set.alphas {
		err = w.WriteAt([]float32{float32(e.rank)}, s.set.alpha(e.module), 0) // a scale of 1
	}
	if err == nil {
		err = s.set.writeCopied(w, e.module)
	}
	if err != nil {
		return k, n, err
	}
	if k.missed = whole.apart(written); k.squares > 0 {
		k.Error = math.Sqrt(k.missed / k.squares)
	}
	return k, n, nil
}

// sumBias is the weighted sum of the up factors' biases.
func (s *Set) sumBias(dst []float32, m module, c []float64) error {
	total := make([]float64, len(dst))
	for i, a := range s.list {
		if m.at[i] < 0 {
			continue
		}
		mine := s.own[i][m.at[i]]
		if mine.Bias == "" {
			continue
		}
		if err := a.Weights().ReadAt(dst, mine.Bias, 0); err != nil {
			return err
		}
		for j, v := range dst {
			total[j] += c[i] * float64(mine.Scale) * float64(v)
		}
	}
	for i, v := range total {
		dst[i] = float32(v)
	}
	return nil
}

// padded adds ranks of zeros, where a product that was said to have more has fewer.
func (f *factors) padded(rank int) *factors {
	rows, have := f.left.Dims()
	_, cols := f.right.Dims()
	if have >= rank {
		return f
	}
	g := &factors{mat.NewDense(rows, rank, nil), mat.NewDense(rank, cols, nil)}
	g.left.Slice(0, rows, 0, have).(*mat.Dense).Copy(f.left)
	g.right.Slice(0, have, 0, cols).(*mat.Dense).Copy(f.right)
	return g
}

// rounded is what numbers are once they were written in a type; a finite number that
// the type cannot hold is refused.
func rounded(x []float32, d tensors.DType) ([]float64, error) {
	b := make([]byte, len(x)*d.Size())
	if err := tensors.Encode(b, x, d); err != nil {
		return nil, err
	}
	short := make([]float32, len(x))
	if err := tensors.Decode(short, b, d); err != nil {
		return nil, err
	}
	back := make([]float64, len(x))
	for i, v := range short {
		if back[i] = float64(v); math.IsInf(back[i], 0) {
			return nil, fmt.Errorf("%g does not fit %s; write bfloat16 or float32 (dtype)", x[i], d.Torch())
		}
	}
	return back, nil
}
