package view

import (
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/tensors"
)

// patch is what is added to one tensor: scale · left × right, of rows × rank and
// rank × cols numbers, where the tensor is seen as a matrix of rows × cols.
type patch struct {
	rows, cols, rank int
	left, right      string // in the adapter's file; left "" is all ones
	mid              string // stands between, rank × rank × kernel; "" is nothing
	kernel           int    // of mid
	transposed       bool   // the file has both factors the other way round
	scale            float32
	dora             *lengths // nil without
}

// replacements finds what the adapter's whole tensors replace, by the name in src.
func (a *Adapter) replacements(src tensors.Source) (over map[string]string, problems []string) {
	over = map[string]string{}
	for _, w := range a.whole {
		t, what := match(src, w.name)
		mine, _ := a.weights.Lookup(w.from)
		switch {
		case what != "":
			problems = append(problems, w.name+": "+what)
		case !slices.Equal(t.Shape, mine.Shape):
			problems = append(problems, fmt.Sprintf("%s: shape %v in %s, %v in the adapter", t.Name, t.Shape, src.Path(), mine.Shape))
		case t.DType != mine.DType && (!t.DType.Float() || !mine.DType.Float()):
			problems = append(problems, fmt.Sprintf("%s: %v in %s, %v in the adapter", t.Name, t.DType, src.Path(), mine.DType))
		case over[t.Name] != "":
			problems = append(problems, fmt.Sprintf("%s: replaced by both %s and %s", t.Name, over[t.Name], w.from))
		default:
			over[t.Name] = w.from
		}
	}
	return over, problems
}

// patches finds what the adapter's factors are added to, by the name in src.
func (a *Adapter) patches(src tensors.Source) (patches map[string]*patch, problems []string) {
	patches = map[string]*patch{}
	modules, find := a.modules, func(m module, parameter string) (tensors.Info, string) { return match(src, m.name+"."+parameter) }
	if a.folder == "" {
		find = newFlatNames(src).find
		modules = a.fitting(src, find)
	}
	add := func(t tensors.Info, p *patch, what string) {
		switch {
		case what != "":
			problems = append(problems, what)
		case patches[t.Name] != nil:
			problems = append(problems, fmt.Sprintf("%s: adapted by %s and by %s", t.Name, patches[t.Name].right, p.right))
		default:
			patches[t.Name] = p
		}
	}
	// Which way round a square weight lies only the config says. PEFT corrects it for
	// each kind of layer, so it can be trusted where no other weight contradicts it.
	square, against := "", ""
	for _, m := range modules {
		t, what := find(m, "weight")
		if what != "" {
			problems = append(problems, m.name+": "+what)
			continue
		}
		p, what := a.weightPatch(m, t, src.Path())
		add(t, p, what)
		if p != nil && len(t.Shape) == 2 && !m.embedding {
			if p.rows == p.cols {
				square = t.Name
			} else if p.transposed != a.config.FanInFanOut {
				against = t.Name
			}
		}
		if m.bias != "" {
			t, what := find(m, "bias")
			if what != "" {
				problems = append(problems, m.name+": its bias "+what)
				continue
			}
			p, what := a.biasPatch(m, t, src.Path())
			add(t, p, what)
		}
	}
	if square != "" && against != "" {
		problems = append(problems, fmt.Sprintf("%s is square and fan_in_fan_out is %v, but %s lies the other way; merge the adapter with PEFT", square, a.config.FanInFanOut, against))
	}
	return patches, problems
}

// shape returns the shape of BA.
func (a *Adapter) shape(m module) []int {
	A, _ := a.weights.Lookup(m.a)
	B, _ := a.weights.Lookup(m.b)
	shape := append([]int{B.Shape[0]}, A.Shape[1:]...)
	if mid, ok := a.weights.Lookup(m.mid); ok {
		shape = append(shape[:2], mid.Shape[2:]...)
	}
	return shape
}

// factorsOf returns the patch of s·BA, as B and A lie in the file, of no tensor yet.
func (a *Adapter) factorsOf(m module) *patch {
	p := &patch{rank: m.rank, scale: m.scale, left: m.b, right: m.a, mid: m.mid}
	p.rows, p.cols = dims(a.shape(m))
	if mid, ok := a.weights.Lookup(m.mid); ok {
		_, inner := dims(mid.Shape)
		p.kernel = inner / mid.Shape[1]
	}
	return p
}

// pointless is a shape without the kernel of a convolution that sees one point: the
// same numbers as a linear layer's.
func pointless(shape []int) []int {
	if len(shape) > 2 && allOnes(shape[2:]) {
		return shape[:2]
	}
	return shape
}

// weightPatch returns what is added to a weight, or what is wrong.
func (a *Adapter) weightPatch(m module, t tensors.Info, path string) (*patch, string) {
	A, _ := a.weights.Lookup(m.a)
	B, _ := a.weights.Lookup(m.b)
	straight := a.shape(m)                  // BA
	turned := []int{A.Shape[1], B.Shape[0]} // its transpose, of two dimensions
	p := a.factorsOf(m)
	switch {
	case !t.DType.Float():
		return nil, fmt.Sprintf("%s: is %v in %s; an adapter is added to floating-point weights, before they are quantised", t.Name, t.DType, path)
	case m.embedding:
		p.transposed = true
	case a.folder == "" && slices.Equal(pointless(t.Shape), pointless(straight)):
		straight = t.Shape
	case len(A.Shape) == 2 && A.Shape[1] != B.Shape[0]:
		p.transposed = slices.Equal(t.Shape, turned)
	case len(A.Shape) == 2:
		p.transposed = a.config.FanInFanOut
	}
	want := straight
	if p.transposed {
		want, p.left, p.right = turned, m.a, m.b
	}
	if !slices.Equal(t.Shape, want) {
		return nil, fmt.Sprintf("%s: shape %v in %s, but the adapter's factors %v and %v make %v", t.Name, t.Shape, path, A.Shape, B.Shape, want)
	}
	p.rows, p.cols = dims(t.Shape)
	if m.magnitude != "" {
		p.dora = &lengths{magnitude: m.magnitude}
	}
	return p, ""
}

// biasPatch returns what is added to a bias, one row of numbers, or what is wrong.
func (a *Adapter) biasPatch(m module, t tensors.Info, path string) (*patch, string) {
	mine, _ := a.weights.Lookup(m.bias)
	switch {
	case !t.DType.Float():
		return nil, fmt.Sprintf("%s: is %v in %s, which nothing can be added to", t.Name, t.DType, path)
	case !slices.Equal(t.Shape, mine.Shape):
		return nil, fmt.Sprintf("%s: shape %v in %s, %v in the adapter", t.Name, t.Shape, path, mine.Shape)
	}
	return &patch{rows: 1, cols: mine.Shape[0], rank: 1, scale: m.scale, right: m.bias}, ""
}
