package adapters

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/gonum/mat"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/merge/spectral"
	"github.com/mergevo/mergevo/tensors"
)

// Extraction is how an adapter is cut out of a fine-tuned model.
type Extraction struct {
	Cut
	// DType is the type that is written.
	DType tensors.DType
	// Turned says that linear layers lie inputs × outputs, as GPT-2's do.
	Turned bool
	// Base is what the configuration calls the base, Task what PEFT calls the model's
	// task, "" for none.
	Base, Task string
	// Progress, if not nil, is told when a weight is done, from several goroutines.
	Progress func(tensor string, bytes int64)
}

// Extracted is the adapter of a fine-tuned model: the products nearest to the
// differences of the weights of its linear layers and convolutions.
type Extracted struct {
	Kept []Kept
	// Same and Rounding count weights that do not differ at all, and those that differ
	// by no more than what rounding to their type makes.
	Same, Rounding int
	// LeftOut are differences that no adapter of this kind holds: embeddings, norms,
	// biases, tensors that one of the models lacks.
	LeftOut []LeftOut

	how     Extraction
	modules []extracted
	whole   []string // all modules that have such a weight, whether they differ or not
}

// LeftOut is a tensor that differs and is not in the adapter.
type LeftOut struct {
	Tensor string `json:"tensor"`
	Why    string `json:"why"`
	// Norm is that of the difference in parts of the base's, 0 where it is not known.
	Norm float64 `json:"norm,omitempty"`
}

// extracted is a module's factors, as they are written.
type extracted struct {
	name        string
	shape       []int // outputs, inputs and kernel
	rank        int
	left, right []float32
}

// embeddings are words by which a matrix is known to be looked up, not multiplied.
var embeddings = []string{"embed", "wte.", "wpe.", "shared.weight", "relative_attention_bias"}

// linear tells the weights of linear layers and convolutions.
func linear(t tensors.Info) bool {
	if !t.DType.Float() || !strings.HasSuffix(t.Name, ".weight") || len(t.Shape) < 2 || t.Len() == 0 {
		return false
	}
	return len(t.Shape) > 2 || !slices.ContainsFunc(embeddings, func(w string) bool { return strings.Contains(t.Name, w) })
}

// Extract cuts the adapter out of fine, a model that was trained from base: of each
// weight that a linear layer or a convolution multiplies with, the largest singular
// values of the difference. Those that rounding to the stored type alone would make are
// left out, whatever the rank (see [spectral.Noise]).
//
// It holds the adapter and, on each core, one weight several times in float64.
func Extract(ctx context.Context, fine, base tensors.Source, how Extraction) (*Extracted, error) {
	x := &Extracted{how: how}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, t := range base.Tensors() {
		if _, ok := fine.Lookup(t.Name); !ok {
			x.LeftOut = append(x.LeftOut, LeftOut{Tensor: t.Name, Why: "only the base has it"})
		}
	}
	for _, t := range fine.Tensors() {
		b, ok := base.Lookup(t.Name)
		switch {
		case !ok:
			x.leaveOut(&mu, LeftOut{Tensor: t.Name, Why: "the base lacks it"})
			continue
		case !slices.Equal(b.Shape, t.Shape):
			x.leaveOut(&mu, LeftOut{Tensor: t.Name, Why: fmt.Sprintf("%v, in the base %v", t.Shape, b.Shape)})
			continue
		case !t.DType.Float() || !b.DType.Float():
			continue // what does not train
		}
		if linear(t) {
			x.whole = append(x.whole, strings.TrimSuffix(t.Name, ".weight"))
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := x.weight(&mu, fine, base, t)
			if err == nil && how.Progress != nil {
				how.Progress(t.Name, t.Bytes())
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(x.modules, func(a, b extracted) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(x.Kept, func(a, b Kept) int { return strings.Compare(a.Module, b.Module) })
	slices.SortStableFunc(x.LeftOut, func(a, b LeftOut) int {
		switch {
		case a.Norm > b.Norm:
			return -1
		case a.Norm < b.Norm:
			return 1
		}
		return strings.Compare(a.Tensor, b.Tensor)
	})
	if len(x.modules) == 0 {
		return nil, errors.New("no weight of a linear layer differs between the models by more than rounding: there is nothing to extract")
	}
	return x, nil
}

func (x *Extracted) leaveOut(mu *sync.Mutex, l LeftOut) {
	mu.Lock()
	defer mu.Unlock()
	x.LeftOut = append(x.LeftOut, l)
}

// weight does one tensor.
func (x *Extracted) weight(mu *sync.Mutex, fine, base tensors.Source, t tensors.Info) error {
	if !linear(t) {
		norm, err := apart(fine, base, t)
		if err == nil && norm > 0 {
			x.leaveOut(mu, LeftOut{t.Name, "no weight of a linear layer", norm})
		}
		return err
	}
	rows, cols := matrix(t.Shape)
	d, err := readMatrix(fine, t.Name, rows, cols)
	if err != nil {
		return err
	}
	size := sumOfSquares(d)
	b, err := readMatrix(base, t.Name, rows, cols)
	if err != nil {
		return err
	}
	d.Sub(d, b)
	shape := t.Shape
	if x.how.Turned && len(shape) == 2 {
		d = mat.DenseCopyOf(d.T())
		shape = []int{shape[1], shape[0]}
		rows, cols = cols, rows
	}
	all := sumOfSquares(d)
	if all == 0 || math.IsNaN(all) || math.IsInf(all, 0) {
		if all != 0 {
			return fmt.Errorf("%s: the difference is not finite; mergevo inspect --values finds where", t.Name)
		}
		mu.Lock()
		defer mu.Unlock()
		x.Same++
		return nil
	}
	e, k, err := x.largest(d, shape, roundings*spectral.Noise(size, rows, cols, roundoff(t.DType)))
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if e == nil {
		x.Rounding++
		return nil
	}
	e.name = strings.TrimSuffix(t.Name, ".weight")
	k.Module = e.name
	x.modules, x.Kept = append(x.modules, *e), append(x.Kept, k)
	return nil
}

// roundings is how many times a weight may have been rounded on its way: when products
// were summed, and when it was stored.
const roundings = 2

// largest are the factors of a difference, nil where all of it lies below the noise.
func (x *Extracted) largest(d *mat.Dense, shape []int, noise float64) (*extracted, Kept, error) {
	rows, cols := d.Dims()
	most := min(rows, cols)
	if x.how.Rank > 0 {
		most = min(most, x.how.Rank)
	}
	var s *spectral.SVD
	var err error
	if x.how.Energy > 0 {
		s, err = spectral.Holding(d, x.how.Energy, most)
	} else {
		s, err = spectral.Largest(d, most)
	}
	if err != nil {
		return nil, Kept{}, err
	}
	rank := s.Above(noise, s.Rank())
	if rank == 0 {
		return nil, Kept{}, nil
	}
	left, right := s.Factors(rank)
	e := &extracted{shape: shape, rank: rank}
	short := &factors{}
	if e.left, short.left, err = x.stored(left); err == nil {
		e.right, short.right, err = x.stored(right)
	}
	k := Kept{Rank: rank, Of: min(rows, cols), Energy: s.Kept(rank), squares: s.Energy, missed: away(d, short)}
	k.Error = math.Sqrt(k.missed / k.squares)
	return e, k, err
}

// stored is a factor as it is written, and as that is read again.
func (x *Extracted) stored(m *mat.Dense) ([]float32, *mat.Dense, error) {
	short := make([]float32, len(m.RawMatrix().Data))
	for i, v := range m.RawMatrix().Data {
		short[i] = float32(v)
	}
	back, err := rounded(short, x.how.DType)
	if err != nil {
		return nil, nil, err
	}
	rows, cols := m.Dims()
	return short, mat.NewDense(rows, cols, back), nil
}

// roundoff is half a unit in the last place of numbers in [1, 2).
func roundoff(d tensors.DType) float64 {
	switch d {
	case tensors.BF16:
		return 0x1p-8
	case tensors.F16:
		return 0x1p-11
	}
	return 0x1p-24 // sources are read as float32
}

func sumOfSquares(m *mat.Dense) float64 {
	total := 0.0
	for _, x := range m.RawMatrix().Data {
		total += x * x
	}
	return total
}

// apart is the norm of the difference of a tensor of two models in parts of the
// second's.
func apart(a, b tensors.Source, t tensors.Info) (float64, error) {
	const piece = 1 << 16
	x, y := make([]float32, min(piece, t.Len())), make([]float32, min(piece, t.Len()))
	var far, norm float64
	for off := 0; off < t.Len(); off += piece {
		n := min(piece, t.Len()-off)
		if err := a.ReadAt(x[:n], t.Name, off); err != nil {
			return 0, err
		}
		if err := b.ReadAt(y[:n], t.Name, off); err != nil {
			return 0, err
		}
		for i := range n {
			far += (float64(x[i]) - float64(y[i])) * (float64(x[i]) - float64(y[i]))
			norm += float64(y[i]) * float64(y[i])
		}
	}
	switch {
	case far == 0:
		return 0, nil
	case norm == 0:
		return 1, nil
	}
	return math.Sqrt(far / norm), nil
}
