package merge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// Missing says what to do with a tensor that some parent lacks.
type Missing uint8

// The answers to a missing tensor.
const (
	// MissingRefuse: an error that lists every such tensor.
	MissingRefuse Missing = iota
	// MissingBase: the first parent's tensor stands in for it.
	MissingBase
	// MissingSkip: the tensor is left out of the merge.
	MissingSkip
)

// Parents are the checkpoints that a merge reads, opened once, and what their
// headers say about merging them. The first is the base, if there is one.
type Parents struct {
	names       []string
	checkpoints []*tensors.Checkpoint
	missing     Missing
	merged      []tensors.Info // float tensors, sorted by name
	copied      []tensors.Info // integer and bool tensors, equal in all
}

// NewParents checks that the checkpoints can be merged: the same names, shapes
// and kinds of type. It reads headers only, and lists every tensor that differs.
// Mixed float types are refused unless mixed says that an output type is set.
func NewParents(names []string, checkpoints []*tensors.Checkpoint, missing Missing, mixed bool) (*Parents, error) {
	p := &Parents{names: names, checkpoints: checkpoints, missing: missing}
	var problems []error
	for _, name := range allNames(checkpoints) {
		info, skip, err := p.agree(name, mixed)
		switch {
		case err != nil:
			problems = append(problems, err)
		case skip:
		case info.DType.Float():
			p.merged = append(p.merged, info)
		default:
			p.copied = append(p.copied, info)
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("the models do not fit together:\n%w", joinSome(problems, 40))
	}
	if len(p.merged) == 0 {
		return nil, fmt.Errorf("%s holds no floating-point tensor to merge", names[0])
	}
	return p, nil
}

func joinSome(errs []error, most int) error {
	if extra := len(errs) - most; extra > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", extra))
	}
	return errors.Join(errs...)
}

func allNames(checkpoints []*tensors.Checkpoint) []string {
	seen := map[string]bool{}
	var names []string
	for _, c := range checkpoints {
		for _, t := range c.Tensors() {
			if !seen[t.Name] {
				seen[t.Name] = true
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// agree compares one tensor's headers over all parents.
func (p *Parents) agree(name string, mixed bool) (info tensors.Info, skip bool, err error) {
	var lack []string
	first := -1
	for i, c := range p.checkpoints {
		t, ok := c.Lookup(name)
		switch {
		case !ok:
			lack = append(lack, p.names[i])
			continue
		case first < 0:
			first, info = i, t
		case !slices.Equal(t.Shape, info.Shape):
			return info, false, fmt.Errorf("  %s: shape %v in %s, %v in %s", name, info.Shape, p.names[first], t.Shape, p.names[i])
		case t.DType != info.DType && (!mixed || !t.DType.Float() || !info.DType.Float()):
			err := fmt.Errorf("  %s: %s in %s, %s in %s", name, info.DType, p.names[first], t.DType, p.names[i])
			if t.DType.Float() && info.DType.Float() {
				err = fmt.Errorf("%w (set dtype or out_dtype to merge them)", err)
			}
			return info, false, err
		}
	}
	if !info.DType.Float() && !passesThrough(info.DType) {
		return info, false, fmt.Errorf("  %s: %s in %s cannot be merged; convert it to a floating-point type first", name, info.DType, p.names[first])
	}
	if len(lack) == 0 {
		return info, false, nil
	}
	switch {
	case p.missing == MissingSkip:
		return info, true, nil
	case p.missing == MissingBase && first == 0:
		return info, false, nil
	case p.missing == MissingBase:
		return info, false, fmt.Errorf("  %s: missing in %s, and the first model cannot stand in for it", name, strings.Join(lack, ", "))
	}
	return info, false, fmt.Errorf("  %s: missing in %s (--allow-missing base or skip goes on without it)", name, strings.Join(lack, ", "))
}

// passesThrough reports whether tensors of a type are copied where they are equal
// in all parents: integers and booleans.
func passesThrough(d tensors.DType) bool {
	switch d {
	case tensors.I64, tensors.I32, tensors.I16, tensors.I8, tensors.U64, tensors.U32, tensors.U16, tensors.U8, tensors.BOOL:
		return true
	}
	return false
}

// Merged returns the float tensors, sorted by name, with the first parent's type.
func (p *Parents) Merged() []tensors.Info { return p.merged }

// Names returns the parents' names as the recipe writes them.
func (p *Parents) Names() []string { return p.names }

// Checkpoints returns the open checkpoints, the base first.
func (p *Parents) Checkpoints() []*tensors.Checkpoint { return p.checkpoints }

// Bytes returns the size of all merged tensors of all parents, as stored.
func (p *Parents) Bytes() int64 {
	var n int64
	for _, t := range p.merged {
		for i := range p.checkpoints {
			info, _ := p.of(i, t.Name).Lookup(t.Name)
			n += info.Bytes()
		}
	}
	return n
}

// CheckFinite reads every merged tensor and returns an error that names each model
// and tensor with NaN or Inf in it.
func (p *Parents) CheckFinite(ctx context.Context) error {
	var mu sync.Mutex
	var problems []error
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range p.checkpoints {
		for _, t := range p.merged {
			if _, ok := c.Lookup(t.Name); !ok {
				continue
			}
			group.Go(func() error {
				at, value, err := firstNonfinite(ctx, c, t.Name, t.Len())
				if err != nil || at < 0 {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				problems = append(problems, fmt.Errorf("model %s: %s holds %g at index %d", p.names[i], t.Name, value, at))
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return joinSome(problems, 20)
}

// firstNonfinite returns the index and value of the first NaN or Inf, -1 if none.
func firstNonfinite(ctx context.Context, c *tensors.Checkpoint, name string, n int) (int, float32, error) {
	buf := make([]float32, min(n, blockLen))
	for off := 0; off < n; off += blockLen {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		block := buf[:min(blockLen, n-off)]
		if err := c.ReadAt(block, name, off); err != nil {
			return 0, 0, err
		}
		for i, x := range block {
			if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
				return off + i, x, nil
			}
		}
	}
	return -1, 0, nil
}

// of returns the checkpoint that supplies a tensor for parent i: its own, or
// the first one's where it lacks it and that was allowed.
func (p *Parents) of(i int, tensor string) *tensors.Checkpoint {
	if _, ok := p.checkpoints[i].Lookup(tensor); !ok {
		return p.checkpoints[0]
	}
	return p.checkpoints[i]
}

// checkCopied compares the bytes of a tensor that is copied, not merged.
func (p *Parents) checkCopied(t tensors.Info) error {
	first, err := p.of(0, t.Name).Raw(t.Name)
	if err != nil {
		return err
	}
	for i := 1; i < len(p.checkpoints); i++ {
		c := p.of(i, t.Name)
		err := c.Guard(func() error {
			b, err := c.Raw(t.Name)
			if err != nil {
				return err
			}
			if !bytes.Equal(first, b) {
				return fmt.Errorf("%s is %s, which is copied and not merged, but differs between %s and %s", t.Name, t.DType, p.names[0], p.names[i])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
