package merge

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// The lengths of a streamed chunk, in elements: small tensors take the short one.
// Two lengths make two compilations a type; the bits do not depend on them.
const (
	shortChunk = 1 << 14
	longChunk  = 1 << 18
)

// ApplyOptions change how a merge is written.
type ApplyOptions struct {
	// AllowNonfinite writes NaN and Inf instead of refusing them.
	AllowNonfinite bool
	// Progress, if not nil, is told of the bytes read and written for a piece of a
	// tensor, once it is written; it is called from several goroutines.
	Progress func(tensor string, read, written int64)
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
// tensors; the caller commits it. Tensors that out has already are left out. Memory
// is bounded by a few chunks a core, whatever the size of the model. It refuses,
// naming tensor and cause, to write NaN or Inf, and values that overflow the output
// type.
func Apply(ctx context.Context, b compute.Backend, s *Spec, p *Parents, out *tensors.Writer, o ApplyOptions) error {
	st := &streamer{spec: s, parents: p, out: out, options: o, execs: map[program]*graph.Exec{},
		chunks: chunks{backend: b, free: map[chunkShape][]*gmlx.Tensor{}}}
	defer st.finalize()
	for _, t := range p.merged {
		if err := st.prepare(s.output(t.DType), s.rows(t), newProfile(p, s, t, false).solves); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(st.spec.atOnce())
	for _, t := range p.merged {
		if out.Done(t.Name) {
			continue
		}
		group.Go(func() error { return st.tensor(ctx, t) })
	}
	for _, t := range p.copied {
		if out.Done(t.Name) {
			continue
		}
		group.Go(func() error { return st.copy(ctx, t) })
	}
	return group.Wait()
}

// atOnce is how many tensors are merged at a time. Operands are derived one tensor
// at a time: each takes all cores, and its memory grows with the tensor.
func (s *Spec) atOnce() int {
	if s.Method.Derive != nil {
		return 1
	}
	return min(4, runtime.GOMAXPROCS(0))
}

type streamer struct {
	spec    *Spec
	parents *Parents
	out     *tensors.Writer
	options ApplyOptions
	chunks  chunks
	execs   map[program]*graph.Exec
}

func (st *streamer) finalize() {
	for _, e := range st.execs {
		e.Finalize()
	}
	st.chunks.finalize()
}

// program identifies a graph: the type that it writes, how many rows of coefficients
// it reads, and whether it reckons where a row is.
type program struct {
	to     tensors.DType
	rows   int
	placed bool
	solves bool // it reads what was solved for
}

func programOf(to tensors.DType, r Rows, solves bool) program {
	return program{to, r.padded(), r.Mod > 0, solves}
}

// prepare makes the program that writes one output type. Its arguments are the
// coefficients, the place, the base if any, the sources and what the method
// prepares; gomlx compiles it anew for each combination of stored types and chunk
// length.
func (st *streamer) prepare(d tensors.DType, rows Rows, solves bool) error {
	key := programOf(d, rows, solves)
	if st.execs[key] != nil {
		return nil
	}
	to, err := deviceType(d)
	if err != nil {
		return err
	}
	exec, err := graph.NewExec(st.chunks.backend, func(args []*graph.Node) []*graph.Node {
		y := st.mix(rows, solves, args)
		return []*graph.Node{graph.ConvertDType(y, to)}
	})
	if err != nil {
		return fmt.Errorf("preparing %s: %w", st.spec.Method.Name, err)
	}
	st.execs[key] = exec.SetMaxCache(-1)
	return nil
}

// mix is the merged chunk in float32, [1, N].
func (st *streamer) mix(rows Rows, solves bool, args []*graph.Node) *graph.Node {
	x := operands(st.spec, rows, solves, args[0], args[1], args[2], args[3:])
	return graph.BroadcastToShape(st.spec.Method.Mix(x), x.source[0].Shape())
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
	if err := c.solve(st.spec); err != nil {
		return err
	}
	nf, nu := st.spec.Method.widths(len(profile.source), c.rows)
	f, u := make([]float32, nf), make([]uint32, nu)
	if err := st.spec.coefs(profile, c.rows, f, u); err != nil {
		return err
	}
	c.f, c.u = gmlx.FromFlatDataAndDimensions(f, 1, nf), gmlx.FromFlatDataAndDimensions(u, 1, nu)
	defer c.f.FinalizeAll() //nolint:errcheck // nothing to do about a buffer that will not be freed
	defer c.u.FinalizeAll() //nolint:errcheck // as above
	chunk := longChunk
	if n <= 4*shortChunk {
		chunk = shortChunk
	}
	for off := 0; off < n; off += chunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := st.chunk(ctx, t, c, off, min(chunk, n-off), chunk); err != nil {
			return err
		}
	}
	return nil
}

// chunking is what the chunks of a tensor share.
type chunking struct {
	profile *Profile
	rows    Rows
	to      tensors.DType
	f, u    *gmlx.Tensor // the coefficients
	solved  []float32    // the whole tensor, of those that are solved for
}

// chunk merges elements [off, off+n) of a tensor, padded to size, and writes them.
func (st *streamer) chunk(ctx context.Context, t tensors.Info, c chunking, off, n, size int) error {
	place := gmlx.FromFlatDataAndDimensions(c.rows.place(off), 3)
	var inputs []*gmlx.Tensor
	made, err := prepare(ctx, st.spec.Method, c.profile, off, n, size)
	defer func() {
		for _, x := range append(made, place) {
			_ = x.FinalizeAll()
		}
		for _, x := range inputs {
			st.chunks.give(x)
		}
	}()
	if err != nil {
		return err
	}
	if c.solved != nil {
		part := make([]float32, size)
		copy(part, c.solved[off:off+n])
		made = append(made, gmlx.FromFlatDataAndDimensions(part, 1, size))
	}
	var read int64
	for _, i := range st.spec.inputs(st.parents, t.Name) {
		x, err := st.chunks.upload(st.parents.of(i, t.Name), t.Name, off, n, size)
		if err != nil {
			return err
		}
		inputs = append(inputs, x)
		read += int64(n * x.DType().Size())
	}
	args := []any{c.f, c.u, place}
	for _, x := range slices.Concat(inputs, made) {
		args = append(args, x)
	}
	res, err := st.execs[programOf(c.to, c.rows, c.profile.solves)].Call(args...)
	if err != nil {
		return fmt.Errorf("merging %s: %w", t.Name, err)
	}
	defer func() { _ = res[0].FinalizeAll() }()
	width := c.to.Size()
	bad := false
	var written error
	err = res[0].ConstBytes(func(b []byte) {
		bad = nonfinite(b[:n*width], c.to)
		if bad && !st.options.AllowNonfinite {
			return
		}
		written = st.out.WriteBytes(t.Name, int64(off)*int64(width), b[:n*width])
	})
	switch {
	case err != nil:
		return err
	case written != nil:
		return written
	case bad && !st.options.AllowNonfinite:
		return st.refuse(ctx, t, c, args, n)
	}
	if st.options.Progress != nil {
		st.options.Progress(t.Name, read, int64(n*width))
	}
	return nil
}

// refuse says why a chunk's values are not finite: an input's are not, the merge's
// are not, or the output's type cannot hold them.
func (st *streamer) refuse(ctx context.Context, t tensors.Info, c chunking, args []any, n int) error {
	exec, err := graph.NewExec(st.chunks.backend, func(args []*graph.Node) *graph.Node { return st.mix(c.rows, c.profile.solves, args) })
	if err != nil {
		return err
	}
	defer exec.Finalize()
	res, err := exec.Call(args...)
	if err != nil {
		return fmt.Errorf("merging %s: %w", t.Name, err)
	}
	y, err := gmlx.CopyFlatData[float32](res[0])
	if err != nil {
		return err
	}
	var largest float32
	over := 0
	for _, v := range y[:n] {
		if v != v || v-v != 0 {
			return c.profile.cause(ctx, st.spec, st.parents)
		}
		a := max(v, -v)
		largest = max(largest, a)
		if overflows(a, c.to) {
			over++
		}
	}
	return fmt.Errorf("%s: at least %d values overflow %s, the largest seen is %g: use dtype: bfloat16", t.Name, over, c.to.Torch(), largest)
}

// overflows reports whether a finite magnitude is infinite in a type.
func overflows(a float32, d tensors.DType) bool {
	var b [8]byte
	if tensors.Encode(b[:d.Size()], []float32{a}, d) != nil {
		return false
	}
	return nonfinite(b[:d.Size()], d)
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
			st.options.Progress(t.Name, int64(size)*int64(width), int64(size)*int64(width))
		}
	}
	return nil
}
