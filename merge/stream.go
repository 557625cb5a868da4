package merge

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// The lengths of a streamed chunk, in elements: small tensors take the short one.
// Two lengths make two compilations a type; the bits do not depend on them.
const (
	shortChunk = 1 << 14
	longChunk  = 1 << 20
)

// ApplyOptions change how a merge is written.
type ApplyOptions struct {
	// AllowNonfinite writes NaN and Inf instead of refusing them.
	AllowNonfinite bool
	// Progress, if not nil, is told of bytes written as they are; it is called
	// from several goroutines.
	Progress func(tensor string, bytes int64)
}

// Layout returns the tensors that a merge writes, sorted by name.
func Layout(s *Spec, p *Parents) []tensors.Info {
	var out []tensors.Info
	merged, copied := p.merged, p.copied
	for len(merged) > 0 || len(copied) > 0 {
		if len(copied) == 0 || len(merged) > 0 && merged[0].Name < copied[0].Name {
			t := merged[0]
			t.DType = s.output(t.DType)
			out, merged = append(out, t), merged[1:]
		} else {
			out, copied = append(out, copied[0]), copied[1:]
		}
	}
	return out
}

// Apply streams the merge of the parents into out, which must have Layout's
// tensors; the caller commits it. Memory is bounded by a few chunks a core,
// whatever the size of the model. It refuses, naming tensor and cause, to write
// NaN or Inf, and values that overflow the output type.
func Apply(ctx context.Context, b compute.Backend, s *Spec, p *Parents, out *tensors.Writer, o ApplyOptions) error {
	st := &streamer{spec: s, parents: p, out: out, options: o, backend: b, execs: map[program]*graph.Exec{}}
	defer st.finalize()
	for _, t := range p.merged {
		if err := st.prepare(s.output(t.DType), s.rows(t)); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for _, t := range p.merged {
		group.Go(func() error { return st.tensor(ctx, t) })
	}
	for _, t := range p.copied {
		group.Go(func() error { return st.copy(ctx, t) })
	}
	return group.Wait()
}

type streamer struct {
	spec    *Spec
	parents *Parents
	out     *tensors.Writer
	options ApplyOptions
	backend compute.Backend
	execs   map[program]*graph.Exec
}

func (st *streamer) finalize() {
	for _, e := range st.execs {
		e.Finalize()
	}
}

// program identifies a graph: the type that it writes, and how many rows of
// coefficients it reads.
type program struct {
	to   tensors.DType
	rows int
}

// prepare makes the program that writes one output type. Its arguments are the
// coefficients, the place, the base if any, the sources and what the method
// prepares; gomlx compiles it anew for each combination of stored types and chunk
// length.
func (st *streamer) prepare(d tensors.DType, rows Rows) error {
	key := program{d, rows.padded()}
	if st.execs[key] != nil {
		return nil
	}
	to, err := deviceType(d)
	if err != nil {
		return err
	}
	exec, err := graph.NewExec(st.backend, func(args []*graph.Node) []*graph.Node {
		x := operands(st.spec, rows, args[0], args[1], args[2], args[3:])
		y := graph.BroadcastToShape(st.spec.Method.Mix(x), x.source[0].Shape())
		written := graph.ConvertDType(y, to)
		finite := graph.IsFinite(y)
		fits := graph.LogicalOr(graph.LogicalNot(finite), graph.IsFinite(graph.ConvertDType(written, dtypes.Float32)))
		count := func(ok *graph.Node) *graph.Node {
			return graph.ReduceAllSum(graph.ConvertDType(graph.LogicalNot(ok), dtypes.Int32))
		}
		largest := graph.ReduceAllMax(graph.Where(finite, graph.Abs(y), graph.ZerosLike(y)))
		return []*graph.Node{written, count(finite), count(fits), largest}
	})
	if err != nil {
		return fmt.Errorf("preparing %s: %w", st.spec.Method.Name, err)
	}
	st.execs[key] = exec.SetMaxCache(-1)
	return nil
}

func (st *streamer) tensor(ctx context.Context, t tensors.Info) error {
	n := t.Len()
	if n == 0 {
		return nil
	}
	if uint64(n) > math.MaxUint32 {
		return fmt.Errorf("%s: %d elements; tensors of more than 2^32 are not supported", t.Name, n)
	}
	profile := newProfile(st.parents, st.spec, t, false)
	c := chunking{profile: profile, rows: st.spec.rows(t), to: st.spec.output(t.DType)}
	nf, nu := st.spec.Method.widths(len(profile.source), c.rows)
	c.f, c.u = make([]float32, nf), make([]uint32, nu)
	if err := st.spec.coefs(profile, c.rows, c.f, c.u); err != nil {
		return err
	}
	chunk := longChunk
	if n <= 4*shortChunk {
		chunk = shortChunk
	}
	var bad finding
	for off := 0; off < n; off += chunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := st.chunk(t, c, off, min(chunk, n-off), chunk)
		if err != nil {
			return fmt.Errorf("merging %s: %w", t.Name, err)
		}
		bad.add(found)
		if bad.nonfinite > 0 && !st.options.AllowNonfinite {
			return profile.cause(ctx, st.spec, st.parents)
		}
	}
	if bad.overflow > 0 && !st.options.AllowNonfinite {
		return fmt.Errorf("%s: %d values overflow %s, the largest is %g: use dtype: bfloat16", t.Name, bad.overflow, c.to.Torch(), bad.largest)
	}
	return nil
}

// finding is what a chunk reports about its values.
type finding struct {
	nonfinite, overflow int32
	largest             float32
}

func (a *finding) add(b finding) {
	a.nonfinite += b.nonfinite
	a.overflow += b.overflow
	a.largest = max(a.largest, b.largest)
}

// chunking is what the chunks of a tensor share.
type chunking struct {
	profile *Profile
	rows    Rows
	to      tensors.DType
	f       []float32
	u       []uint32
}

// chunk merges elements [off, off+n) of a tensor, padded to size, and writes them.
func (st *streamer) chunk(t tensors.Info, c chunking, off, n, size int) (finding, error) {
	var none finding
	args := []any{
		gmlx.FromFlatDataAndDimensions(c.f, 1, len(c.f)),
		gmlx.FromFlatDataAndDimensions(c.u, 1, len(c.u)),
		gmlx.FromFlatDataAndDimensions(c.rows.place(off), 3),
	}
	defer func() {
		for _, a := range args {
			_ = a.(*gmlx.Tensor).FinalizeAll()
		}
	}()
	for _, i := range st.spec.inputs(st.parents, t.Name) {
		x, err := upload(st.backend, st.parents.of(i, t.Name), t.Name, off, n, size)
		if err != nil {
			return none, err
		}
		args = append(args, x)
	}
	made, err := prepare(st.spec.Method, c.profile, off, n, size)
	if err != nil {
		return none, err
	}
	for _, x := range made {
		args = append(args, x)
	}
	res, err := st.execs[program{c.to, c.rows.padded()}].Call(args...)
	if err != nil {
		return none, err
	}
	defer func() {
		for _, r := range res {
			_ = r.FinalizeAll()
		}
	}()
	width := c.to.Size()
	var writeErr error
	err = res[0].ConstBytes(func(b []byte) {
		writeErr = st.out.WriteBytes(t.Name, int64(off)*int64(width), b[:n*width])
	})
	if err == nil {
		err = writeErr
	}
	if err != nil {
		return none, err
	}
	if st.options.Progress != nil {
		st.options.Progress(t.Name, int64(n*width))
	}
	return finding{gmlx.ToScalar[int32](res[1]), gmlx.ToScalar[int32](res[2]), gmlx.ToScalar[float32](res[3])}, nil
}

// upload copies elements [off, off+n) of a stored tensor to the device as
// [1, size], zero-padded, in their stored type.
func upload(b compute.Backend, c tensors.Source, name string, off, n, size int) (*gmlx.Tensor, error) {
	info, ok := c.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("no tensor %s in %s", name, c.Path())
	}
	d, err := deviceType(info.DType)
	if err != nil {
		return nil, err
	}
	var out *gmlx.Tensor
	err = c.Stored(name, off, n, func(part []byte) error {
		if n < size {
			padded := make([]byte, size*info.DType.Size())
			copy(padded, part)
			part = padded
		}
		out, err = gmlx.FromRaw(b, 0, shapes.Make(d, 1, size), part)
		return err
	})
	return out, err
}

// copy writes a tensor that is not merged.
func (st *streamer) copy(ctx context.Context, t tensors.Info) error {
	if err := st.parents.checkCopied(t); err != nil {
		return err
	}
	c := st.parents.of(st.parents.first(t.Name), t.Name)
	n, width := t.Len(), t.DType.Size()
	for off := 0; off < n; off += longChunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		size := min(longChunk, n-off)
		err := c.Stored(t.Name, off, size, func(b []byte) error {
			return st.out.WriteBytes(t.Name, int64(off)*int64(width), b)
		})
		if err != nil {
			return err
		}
		if st.options.Progress != nil {
			st.options.Progress(t.Name, int64(size)*int64(width))
		}
	}
	return nil
}
