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
// headers say about merging them. The first is the base, if there is one. Each
// belongs to a part, and tensors of one part are merged with each other: slices
// and modules make several, which hold different tensors.
type Parents struct {
	names   []string
	sources []tensors.Source
	parts   []int // of each parent; nil is one part of all
	missing Missing
	merged  []tensors.Info // float tensors, sorted by name
	copied  []tensors.Info // integer and bool tensors, equal in all
	part    map[string]int // of each tensor
	// statistics are the files attached, of each parent; nil where it has none.
	statistics map[*Statistic][]*attached
}

// NewParents checks that the sources can be merged: the same names, shapes
// and kinds of type. It reads headers only, and lists every tensor that differs.
// Mixed float types are refused unless mixed says that an output type is set.
// parts gives each source's part, from 0 on; nil is one part of all.
func NewParents[S tensors.Source](names []string, sources []S, parts []int, missing Missing, mixed bool) (*Parents, error) {
	p := &Parents{names: names, parts: parts, missing: missing, part: map[string]int{}}
	for _, s := range sources {
		p.sources = append(p.sources, s)
	}
	var problems []error
	for _, name := range p.allNames() {
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

// partOf returns the part of a parent.
func (p *Parents) partOf(i int) int {
	if p.parts == nil {
		return 0
	}
	return p.parts[i]
}

// first returns the first parent of a tensor's part.
func (p *Parents) first(tensor string) int { return max(0, slices.Index(p.parts, p.part[tensor])) }

// allNames lists the tensors of all parents, and notes their parts.
func (p *Parents) allNames() []string {
	var names []string
	for i, c := range p.sources {
		for _, t := range c.Tensors() {
			if _, seen := p.part[t.Name]; !seen {
				p.part[t.Name] = p.partOf(i)
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
	for i, c := range p.sources {
		t, ok := c.Lookup(name)
		switch {
		case p.partOf(i) != p.part[name]:
			if ok {
				return t, false, fmt.Errorf("  %s: in more than one part", name)
			}
			continue
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
	case p.missing == MissingBase && first == p.first(name):
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

// Sources returns what the parents read, in their order.
func (p *Parents) Sources() []tensors.Source { return p.sources }

// Bytes returns the size of all merged tensors of all parents, as stored.
func (p *Parents) Bytes() int64 {
	var n int64
	for _, t := range p.merged {
		for i := range p.sources {
			if p.partOf(i) == p.part[t.Name] {
				info, _ := p.of(i, t.Name).Lookup(t.Name)
				n += info.Bytes()
			}
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
	for i, c := range p.sources {
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
func firstNonfinite(ctx context.Context, c tensors.Source, name string, n int) (int, float32, error) {
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

// of returns the source that supplies a tensor for parent i: its own, or that
// of its part's first parent where it lacks it and that was allowed.
func (p *Parents) of(i int, tensor string) tensors.Source {
	if _, ok := p.sources[i].Lookup(tensor); !ok {
		return p.sources[p.first(tensor)]
	}
	return p.sources[i]
}

// checkCopied compares the bytes of a tensor that is copied, not merged.
func (p *Parents) checkCopied(t tensors.Info) error {
	first := p.first(t.Name)
	a := p.of(first, t.Name)
	for i := first + 1; i < len(p.sources); i++ {
		if p.partOf(i) != p.part[t.Name] {
			continue
		}
		b := p.of(i, t.Name)
		for off := 0; off < t.Len(); off += longChunk {
			n := min(longChunk, t.Len()-off)
			err := a.Stored(t.Name, off, n, func(x []byte) error {
				return b.Stored(t.Name, off, n, func(y []byte) error {
					if !bytes.Equal(x, y) {
						return fmt.Errorf("%s is %s, which is copied and not merged, but differs between %s and %s", t.Name, t.DType, p.names[first], p.names[i])
					}
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
