package view

import (
	"fmt"
	"maps"

	"github.com/mergevo/mergevo/tensors"
)

// renamed reads each of its tensors from one of src, whole.
type renamed struct {
	catalog
	src  tensors.Source
	from map[string]string // name in src of each tensor
}

// Rename returns the tensors of src under other names: names maps each name of
// the view to the name in src that it reads. Several may read the same one, as
// duplicated layers do. What is not in names is not in the view. path names the
// view in messages.
//
// Names that src lacks are an error that lists all of them.
func Rename(src tensors.Source, path string, names map[string]string) (tensors.Source, error) {
	infos := make([]tensors.Info, 0, len(names))
	var problems []string
	for name, from := range names {
		info, ok := src.Lookup(from)
		switch {
		case name == "":
			problems = append(problems, fmt.Sprintf("%q: cannot be read under an empty name", from))
		case !ok && name == from:
			problems = append(problems, fmt.Sprintf("%q", from))
		case !ok:
			problems = append(problems, fmt.Sprintf("%q, to be read as %q", from, name))
		}
		info.Name = name
		infos = append(infos, info)
	}
	if err := refuse(src.Path()+" has no such tensors", problems); err != nil {
		return nil, err
	}
	return &renamed{newCatalog(path, infos), src, maps.Clone(names)}, nil
}

// Alias returns src with one tensor more: name reads tensor of. A model with tied
// weights stores one tensor for two names; with an alias it has both.
//
// It is an error where src has name already, or lacks of.
func Alias(src tensors.Source, name, of string) (tensors.Source, error) {
	if _, ok := src.Lookup(name); ok {
		return nil, fmt.Errorf("%s has a tensor %q of its own, which cannot stand for %q too", src.Path(), name, of)
	}
	names := map[string]string{name: of}
	for _, t := range src.Tensors() {
		names[t.Name] = t.Name
	}
	return Rename(src, src.Path(), names)
}

// ReadAt reads the tensor that stands behind name.
func (v *renamed) ReadAt(dst []float32, name string, off int) error {
	if _, err := v.numbers(name, off, len(dst)); err != nil {
		return err
	}
	return v.src.ReadAt(dst, v.from[name], off)
}

// Stored gives use the bytes of the tensor that stands behind name.
func (v *renamed) Stored(name string, off, n int, use func([]byte) error) error {
	if _, err := v.piece(name, off, n); err != nil {
		return err
	}
	return v.src.Stored(v.from[name], off, n, use)
}
