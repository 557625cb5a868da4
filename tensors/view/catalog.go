package view

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// catalog is what a view holds: the part of [tensors.Source] that answers
// without reading numbers, and the check before reading them.
type catalog struct {
	path  string
	infos []tensors.Info // sorted by name
	at    map[string]int
}

func newCatalog(path string, infos []tensors.Info) catalog {
	slices.SortFunc(infos, func(a, b tensors.Info) int { return strings.Compare(a.Name, b.Name) })
	c := catalog{path: path, infos: infos, at: make(map[string]int, len(infos))}
	for i, t := range infos {
		c.at[t.Name] = i
	}
	return c
}

// Path names the view in messages.
func (c *catalog) Path() string { return c.path }

// Tensors returns what there is, sorted by name.
func (c *catalog) Tensors() []tensors.Info {
	infos := slices.Clone(c.infos)
	for i := range infos {
		infos[i].Shape = slices.Clone(infos[i].Shape)
	}
	return infos
}

// Lookup returns the tensor of a name, and whether there is one.
func (c *catalog) Lookup(name string) (tensors.Info, bool) {
	i, ok := c.at[name]
	if !ok {
		return tensors.Info{}, false
	}
	info := c.infos[i]
	info.Shape = slices.Clone(info.Shape)
	return info, true
}

// piece checks that elements [off, off+n) of a tensor are there.
func (c *catalog) piece(name string, off, n int) (tensors.Info, error) {
	i, ok := c.at[name]
	if !ok {
		return tensors.Info{}, fmt.Errorf("%s: %w: %q", c.path, tensors.ErrNoTensor, name)
	}
	info := c.infos[i]
	if all := info.Len(); off < 0 || n < 0 || n > all-off {
		return info, fmt.Errorf("%s: tensor %q has %d elements; [%d, %d) is out of range", c.path, name, all, off, off+n)
	}
	return info, nil
}

// numbers is piece for a reader that wants float32.
func (c *catalog) numbers(name string, off, n int) (tensors.Info, error) {
	info, err := c.piece(name, off, n)
	if err == nil && !info.DType.Float() {
		err = fmt.Errorf("%s: tensor %q is %v, which is not read as numbers", c.path, name, info.DType)
	}
	return info, err
}

// refuse joins what is wrong with a view into one error, sorted, nil if nothing is.
func refuse(what string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems)
	return errors.New(what + ":\n  " + strings.Join(problems, "\n  "))
}

// dims splits a shape into rows and what one row holds.
func dims(shape []int) (rows, cols int) {
	cols = 1
	for _, d := range shape[1:] {
		cols *= d
	}
	return shape[0], cols
}
