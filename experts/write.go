package experts

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// pieceLen is how many numbers of a tensor are in memory at a time, on each core.
const pieceLen = 1 << 18

// Gates are the rows by which experts are chosen, [layer][expert][width], and those of
// the shared expert, [layer][width], nil for zeros: it counts half then.
type Gates struct {
	Experts [][][]float32
	Shared  [][]float32
}

// Write writes the mixture to a writer of its layout: what the writer has already stays.
// done is told of the bytes written, from several goroutines.
func (m *Mixture) Write(ctx context.Context, w *tensors.Writer, g Gates, done func(tensor string, bytes int64)) error {
	if len(g.Experts) != m.Layers || len(g.Experts[0]) != m.experts || len(g.Experts[0][0]) != m.Width {
		return ErrGates
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for _, p := range m.parts {
		if w.Done(p.Name) {
			continue
		}
		group.Go(func() error {
			if p.src == nil {
				err := w.WriteAt(m.made(p, g), p.Name, 0)
				done(p.Name, p.Bytes())
				return err
			}
			if err := m.copy(ctx, w, p, done); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// made is a tensor that no model has: a gate, or zeros.
func (m *Mixture) made(p part, g Gates) []float32 {
	out := make([]float32, 0, p.Len())
	switch {
	case p.gate >= 0 && !p.sharedGate:
		for _, row := range g.Experts[p.gate] {
			out = append(out, row...)
		}
	case p.gate >= 0 && g.Shared != nil:
		out = append(out, g.Shared[p.gate]...)
	}
	return append(out, make([]float32, p.Len()-len(out))...)
}

// copy copies a tensor by pieces: its bytes where nothing changes.
func (m *Mixture) copy(ctx context.Context, w *tensors.Writer, p part, done func(string, int64)) error {
	info, _ := p.src.Lookup(p.from)
	same := info.DType == p.DType && p.noise == 0 && p.scale == 1
	x := make([]float32, min(pieceLen, p.Len()))
	for off := 0; off < p.Len(); off += pieceLen {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(pieceLen, p.Len()-off)
		var err error
		if same {
			size := p.DType.Size()
			err = p.src.Stored(p.from, off, n, func(b []byte) error { return w.WriteBytes(p.Name, int64(off*size), b) })
		} else {
			err = m.changed(x[:n], w, p, off)
		}
		if err != nil {
			return err
		}
		done(p.Name, int64(n*p.DType.Size()))
	}
	return nil
}

// changed writes a piece with noise and scale, in another type.
func (m *Mixture) changed(x []float32, w *tensors.Writer, p part, off int) error {
	if err := p.src.ReadAt(x, p.from, off); err != nil {
		return err
	}
	var noise []float32
	if p.noise > 0 {
		noise = make([]float32, len(x))
		normal(noise, m.seed, p.keyedSource, "noise of "+p.from, off)
	}
	for i, v := range x {
		if noise != nil {
			v += float32(p.noise) * noise[i]
		}
		if x[i] = v * float32(p.scale); p.DType == tensors.F16 && math.Abs(float64(x[i])) > 65504 {
			return fmt.Errorf("%g does not fit float16; write bfloat16 (dtype)", x[i])
		}
	}
	return w.WriteAt(x, p.Name, off)
}

// normal fills x with normal noise of a tensor's elements from off on (Box and Muller
// 1958), a pair of hashes an element.
func normal(x []float32, seed uint64, source int, tensor string, off int) {
	bits := make([]uint32, 2*len(x))
	merge.Noise(bits, seed, source, tensor, uint32(2*off))
	for i := range x {
		u := (float64(bits[2*i]) + 1) * 0x1p-32
		x[i] = float32(math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*float64(bits[2*i+1])*0x1p-32))
	}
}
