package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// values is what the numbers of a tensor are like.
type values struct {
	tensor   tensors.Info
	nan, inf int
	largest  float64 // of the finite magnitudes
	norm     float64 // L2, over the finite values
	zeros    int
}

// surveyBlock is how many elements are read at a time.
const surveyBlock = 1 << 16

// survey reads every number of a checkpoint, worst tensors first: those with NaN or
// Inf, then by largest magnitude.
func survey(ctx context.Context, ck *tensors.Checkpoint, progress *bar) ([]values, error) {
	var out []values
	for _, t := range ck.Tensors() {
		if t.DType.Float() {
			out = append(out, values{tensor: t})
		}
	}
	var mu sync.Mutex
	var read int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		group.Go(func() error {
			v := &out[i]
			buf := make([]float32, surveyBlock)
			var sum float64
			for off, n := 0, v.tensor.Len(); off < n; off += surveyBlock {
				if err := ctx.Err(); err != nil {
					return err
				}
				block := buf[:min(surveyBlock, n-off)]
				if err := ck.ReadAt(block, v.tensor.Name, off); err != nil {
					return err
				}
				for _, f := range block {
					x := math.Abs(float64(f))
					switch {
					case x == 0:
						v.zeros++
					case x <= math.MaxFloat32:
						v.largest = max(v.largest, x)
						sum += x * x
					case math.IsInf(x, 1):
						v.inf++
					default:
						v.nan++
					}
				}
				mu.Lock()
				read += int64(len(block) * v.tensor.DType.Size())
				progress.set(read, v.tensor.Name)
				mu.Unlock()
			}
			v.norm = math.Sqrt(sum)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b values) int {
		return cmp.Or(cmp.Compare(b.nan+b.inf, a.nan+a.inf), cmp.Compare(b.largest, a.largest), strings.Compare(a.tensor.Name, b.tensor.Name))
	})
	return out, nil
}

// writeValues prints a survey as a table.
func writeValues(out io.Writer, list []values) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\ttype\tshape\tNaN\tInf\tlargest\tnorm\tzeros")
	bad := 0
	for _, v := range list {
		n := max(1, v.tensor.Len())
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%d\t%.4g\t%.4g\t%.1f %%\n", v.tensor.Name, v.tensor.DType, v.tensor.Shape,
			v.nan, v.inf, v.largest, v.norm, 100*float64(v.zeros)/float64(n))
		if v.nan+v.inf > 0 {
			bad++
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		fmt.Fprintf(out, "\n%s of %d with NaN or Inf\n", count(bad, "tensor"), len(list))
	}
	return nil
}
