package adapters

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mergevo/mergevo/tensors"
)

// PEFT saves, beside the factors of embeddings and of heads, the weight of the model as
// it is, for the case that it was resized. Loading the adapter puts it in place, so a
// merge of adapters must hold it, too: all that do must have been made on the same.

// holder is an adapter that holds a copy of the weight of a module, and the copy's name
// there; -1 if none does.
func (s *Set) holder(m module) (adapter int, name string) {
	for i, at := range m.at {
		if at >= 0 && s.own[i][at].Copied != "" {
			return i, s.own[i][at].Copied
		}
	}
	return -1, ""
}

// Copied is the name of a copy of a base's weight among the adapters' tensors, or "".
func (s *Set) Copied() string {
	for _, m := range s.modules {
		if _, name := s.holder(m); name != "" {
			return name
		}
	}
	return ""
}

// checkCopies refuses copies that differ, and those that the output cannot hold.
func (s *Set) checkCopies() error {
	for _, m := range s.modules {
		first, name := s.holder(m)
		if first < 0 {
			continue
		}
		if s.folder == "" {
			return fmt.Errorf("%s holds %s, a copy of its base's weight, which only a PEFT folder has: list a folder first, whose naming is the output's", s.names[first], name)
		}
		for i, at := range m.at {
			if i <= first || at < 0 || s.own[i][at].Copied == "" {
				continue
			}
			same, err := equal(s.list[first].Weights(), name, s.list[i].Weights(), s.own[i][at].Copied)
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("%s of %s and of %s differ: it is a copy of the base's weight, and the adapters were trained on different ones (or types); merge models, base+adapter, instead", name, s.names[first], s.names[i])
			}
		}
	}
	return nil
}

// equal compares two tensors to the last bit, in pieces.
func equal(a tensors.Source, nameA string, b tensors.Source, nameB string) (bool, error) {
	x, _ := a.Lookup(nameA)
	y, _ := b.Lookup(nameB)
	if x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) {
		return false, nil
	}
	const piece = 1 << 20
	same := true
	for off, n := 0, x.Len(); off < n && same; off += piece {
		k := min(piece, n-off)
		err := a.Stored(nameA, off, k, func(p []byte) error {
			p = slices.Clone(p)
			return b.Stored(nameB, off, k, func(q []byte) error {
				same = same && bytes.Equal(p, q)
				return nil
			})
		})
		if err != nil {
			return false, err
		}
	}
	return same, nil
}

// copied is the tensor that is written as a module's copy, if there is one.
func (s *Set) copied(m module) (tensors.Info, bool) {
	i, name := s.holder(m)
	if i < 0 {
		return tensors.Info{}, false
	}
	t, ok := s.list[i].Weights().Lookup(name)
	t.Name = "base_model.model." + m.Name + ".base_layer.weight"
	return t, ok
}

func (s *Set) writeCopied(w *tensors.Writer, m module) error {
	i, name := s.holder(m)
	if i < 0 {
		return nil
	}
	t, _ := s.copied(m)
	from := s.list[i].Weights()
	own, _ := from.Lookup(name)
	return copyTensor(w, t.Name, from, own)
}

// copyTensor writes the bytes of a tensor of from under a name.
func copyTensor(w *tensors.Writer, name string, from tensors.Source, t tensors.Info) error {
	return from.Stored(t.Name, 0, t.Len(), func(b []byte) error { return w.WriteBytes(name, 0, b) })
}
