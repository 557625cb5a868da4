package view

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// MeanRow, as [RowRef.Row], stands for the mean of all rows of the tensor.
const MeanRow = -1

// A Row says what a row of a new tensor is: the mean of the rows it names. Of one
// it is an exact copy; of none, zeros.
type Row struct {
	Of []RowRef
}

// A RowRef names a row of a tensor: all elements with the first index Row, from 0
// on, or [MeanRow].
type RowRef struct {
	Source tensors.Source
	Tensor string
	Row    int
}

// rowed is src with the rows of some tensors replaced.
type rowed struct {
	catalog
	src    tensors.Source
	tables map[string][]run
}

// run is consecutive rows of a new tensor that are made alike.
type run struct {
	at, rows int        // the first row, and how many
	of       []RowRef   // one and not the mean: at is its row, and the next ones follow
	means    []*meanRow // where of has MeanRow; nil if nowhere
}

// Rows returns src with the tensors named in replaced given new rows, in order, as
// many as there are: what joins vocabularies. The other dimensions and the type
// stay, and every tensor that a row comes from must have the same. Rows may come
// from src and from other Sources.
//
// A row of several is summed in float32 in the order given, divided by their
// number, and rounded once. The mean of all rows of a tensor is computed once, in
// float64, when first read. An error names both tensors where they differ.
func Rows(src tensors.Source, replaced map[string][]Row) (tensors.Source, error) {
	v := &rowed{src: src, tables: make(map[string][]run, len(replaced))}
	means := map[tensorRef]*meanRow{}
	infos := src.Tensors()
	for _, name := range slices.Sorted(maps.Keys(replaced)) {
		i, ok := slices.BinarySearchFunc(infos, name, func(t tensors.Info, name string) int { return strings.Compare(t.Name, name) })
		if !ok {
			return nil, fmt.Errorf("%s: %w: %q, whose rows were to be replaced", src.Path(), tensors.ErrNoTensor, name)
		}
		table, err := compile(src.Path(), infos[i], replaced[name], means)
		if err != nil {
			return nil, err
		}
		infos[i].Shape[0] = len(replaced[name])
		if infos[i].Bytes() == 0 && infos[i].Len() != 0 {
			return nil, fmt.Errorf("%s: tensor %q: %d rows make shape %v, which is too large", src.Path(), name, len(replaced[name]), infos[i].Shape)
		}
		v.tables[name] = table
	}
	v.catalog = newCatalog(src.Path(), infos)
	return v, nil
}

// tensorRef is a tensor of one of several Sources.
type tensorRef struct {
	source tensors.Source
	tensor string
}

// compile turns rows into runs, so that copies of neighbours are one copy, and
// checks that each row fits.
func compile(path string, t tensors.Info, rows []Row, means map[tensorRef]*meanRow) ([]run, error) {
	bad := func(i int, format string, args ...any) error {
		return fmt.Errorf("%s: row %d of tensor %q: %s", path, i, t.Name, fmt.Sprintf(format, args...))
	}
	if len(t.Shape) == 0 {
		return nil, fmt.Errorf("%s: tensor %q is a scalar and has no rows to replace", path, t.Name)
	}
	if t.DType.Size() == 0 {
		return nil, fmt.Errorf("%s: tensor %q is %v, whose elements are no whole bytes; its rows cannot be replaced", path, t.Name, t.DType)
	}
	var table []run
	height := map[tensorRef]int{} // rows of the tensors seen so far
	for i, row := range rows {
		r := run{at: i, rows: 1, of: row.Of}
		for j, ref := range row.Of {
			if ref.Source == nil || !reflect.TypeOf(ref.Source).Comparable() {
				return nil, bad(i, "its Source is nil or cannot be compared; give a pointer")
			}
			key := tensorRef{ref.Source, ref.Tensor}
			h, seen := height[key]
			if !seen {
				from, ok := ref.Source.Lookup(ref.Tensor)
				switch {
				case !ok:
					return nil, bad(i, "%s: %v: %q", ref.Source.Path(), tensors.ErrNoTensor, ref.Tensor)
				case len(from.Shape) == 0 || !slices.Equal(from.Shape[1:], t.Shape[1:]) || from.DType != t.DType:
					return nil, bad(i, "%v %v does not fit %q of %s, %v %v: type and all but the first dimension must agree", t.DType, t.Shape, ref.Tensor, ref.Source.Path(), from.DType, from.Shape)
				}
				h = from.Shape[0]
				height[key] = h
			}
			switch {
			case ref.Row == MeanRow && h == 0:
				return nil, bad(i, "%q of %s has no rows to average", ref.Tensor, ref.Source.Path())
			case ref.Row != MeanRow && (ref.Row < 0 || ref.Row >= h):
				return nil, bad(i, "%q of %s has %d rows, not a row %d", ref.Tensor, ref.Source.Path(), h, ref.Row)
			case (ref.Row == MeanRow || len(row.Of) > 1) && !t.DType.Float():
				return nil, bad(i, "%v has no mean; name one row", t.DType)
			}
			if ref.Row == MeanRow {
				if means[key] == nil {
					means[key] = &meanRow{source: ref.Source, tensor: ref.Tensor}
				}
				if r.means == nil {
					r.means = make([]*meanRow, len(row.Of))
				}
				r.means[j] = means[key]
			}
		}
		if n := len(table) - 1; n >= 0 && table[n].takes(r) {
			table[n].rows++
			continue
		}
		r.of = slices.Clone(r.of)
		table = append(table, r)
	}
	return table, nil
}

// takes reports whether the row r continues the run before it.
func (a *run) takes(r run) bool {
	if len(a.of) != len(r.of) || len(r.of) > 1 {
		return false
	}
	if len(r.of) == 0 {
		return true
	}
	next := a.of[0]
	if next.Row != MeanRow {
		next.Row += a.rows
	}
	return next == r.of[0]
}

// copies reports whether the run is rows as they are stored.
func (a *run) copies() bool { return len(a.of) == 1 && a.means == nil }

// find returns the index of the run that holds a row.
func find(table []run, row int) int {
	return sort.Search(len(table), func(i int) bool { return table[i].at+table[i].rows > row })
}
