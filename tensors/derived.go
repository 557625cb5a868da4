package tensors

import "fmt"

// Derived is a source whose tensors may be those of others: as they are, or with
// products of low rank added. What keeps tensors somewhere, such as on a device, need
// keep them once.
type Derived interface {
	Source
	// Behind returns the source and the name that a tensor is read of, and what is added
	// to it, nil for nothing. The source is nil where the tensor is this one's own.
	Behind(name string) (from Source, in string, add *Product)
}

// Product is what is added to a matrix of Rows × Cols numbers: Scale · left × right, of
// Rows × Rank and Rank × Cols numbers. Element (i, j) is read as
//
//	round((x + scale Σ_k left[i,k] right[k,j]) · m)
//
// in float32: the sum over k in order, each product rounded before it is added, and m
// without a row or column of lengths 1; round is to the matrix's type.
type Product struct {
	Rows, Cols, Rank int
	Scale            float32
	// From holds the factors by name; Left "" is all ones. Transposed says that both lie
	// there the other way round.
	From        Source
	Left, Right string
	Transposed  bool
	// Lengths gives what each row, or of Transposed each column, is multiplied with; nil
	// for nothing.
	Lengths func() ([]float32, error)
}

// Origin is where a tensor is read of in the end: a source, the name there, and what is
// added to it, the first of Add first.
type Origin struct {
	Source Source
	Name   string
	Add    []*Product
}

// OriginOf follows a tensor of a source through those it is derived from.
func OriginOf(s Source, name string) Origin {
	o := Origin{Source: s, Name: name}
	for {
		d, ok := o.Source.(Derived)
		if !ok {
			return o
		}
		from, in, add := d.Behind(o.Name)
		if from == nil {
			return o
		}
		o.Source, o.Name = from, in
		if add != nil {
			o.Add = append([]*Product{add}, o.Add...)
		}
	}
}

// Key tells origins apart, products aside: one file opened twice is one.
func (o Origin) Key() string { return keyOf(o.Source) + "\x00" + o.Name }

func keyOf(s Source) string {
	if c, ok := s.(*Checkpoint); ok {
		return "file " + c.Path()
	}
	return fmt.Sprintf("%p", s)
}

// Keys are those of the tensors that o is made of, with the bytes of each: the stored
// one, and the factors of what is added to it.
func (o Origin) Keys() map[string]int64 {
	out := map[string]int64{}
	add := func(s Source, name string) {
		if info, ok := s.Lookup(name); ok {
			out[Origin{Source: s, Name: name}.Key()] = info.Bytes()
		}
	}
	add(o.Source, o.Name)
	for _, p := range o.Add {
		add(p.From, p.Left)
		add(p.From, p.Right)
	}
	return out
}
