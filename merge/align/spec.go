package align

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// Permutation is a set of units that may change places with each other.
type Permutation struct {
	// Name says what they are, such as "model.layers.3.mlp".
	Name string
	// Units is their number.
	Units int
	// Group is the number of neighbouring units that stay together, 1 where each moves
	// alone: query heads that share a key head. Groups change places, and units inside.
	Group int
}

// Spec is the permutations of a model, and where in its tensors the units are.
type Spec struct {
	// Family is the row of [Families] it was made by.
	Family string
	// Permutations are those that can be chosen freely; a place's Order counts them.
	Permutations []Permutation
	Places       []view.Place

	of map[string][]view.Place // by tensor
}

// Orders are what the units of each permutation of a Spec become: unit u is what was
// unit orders[k][u].
type Orders [][]int

// Identity is the orders that move nothing.
func (s *Spec) Identity() Orders {
	o := make(Orders, len(s.Permutations))
	for k, p := range s.Permutations {
		o[k] = make([]int, p.Units)
		for u := range o[k] {
			o[k][u] = u
		}
	}
	return o
}

// Sizes are the numbers of units.
func (s *Spec) Sizes() []int {
	sizes := make([]int, len(s.Permutations))
	for k, p := range s.Permutations {
		sizes[k] = p.Units
	}
	return sizes
}

// On is a model with its units in the orders that a function gives when numbers are
// first read.
func (s *Spec) On(src tensors.Source, orders func() (Orders, error)) (tensors.Source, error) {
	return view.Permute(src, s.Places, s.Sizes(), func() ([][]int, error) {
		o, err := orders()
		return o, err
	})
}

// Same refuses a model whose units are not those of the spec: another family, other
// sizes. Names are for the message.
func (s *Spec) Same(other *Spec, name, otherName string) error {
	if s.Family != other.Family {
		return fmt.Errorf("%s is of the family %s and %s of %s: units of one are none of the other's", name, s.Family, otherName, other.Family)
	}
	var problems []string
	for k, p := range s.Permutations {
		switch {
		case k >= len(other.Permutations):
			problems = append(problems, fmt.Sprintf("%s: %s has it, %s not", p.Name, name, otherName))
		case p != other.Permutations[k]:
			q := other.Permutations[k]
			problems = append(problems, fmt.Sprintf("%s: %d units in groups of %d in %s; %s: %d in groups of %d in %s", p.Name, p.Units, p.Group, name, q.Name, q.Units, q.Group, otherName))
		}
	}
	if len(other.Permutations) > len(s.Permutations) {
		problems = append(problems, fmt.Sprintf("%s: %s has it, %s not", other.Permutations[len(s.Permutations)].Name, otherName, name))
	}
	if len(problems) == 0 && !slices.Equal(s.Places, other.Places) {
		problems = append(problems, "their tensors have other names")
	}
	return problem(fmt.Sprintf("%s and %s have other units", name, otherName), problems)
}

// problem joins what is wrong into one error, nil if nothing is.
func problem(what string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	const most = 8
	if n := len(problems); n > most {
		problems = append(problems[:most:most], fmt.Sprintf("and %d more", n-most))
	}
	return errors.New(what + ":\n  " + strings.Join(problems, "\n  "))
}

// places are those of one tensor.
func (s *Spec) places(tensor string) []view.Place {
	if s.of == nil {
		s.of = map[string][]view.Place{}
		for _, p := range s.Places {
			s.of[p.Tensor] = append(s.of[p.Tensor], p)
		}
	}
	return s.of[tensor]
}

// Moved is how many units of each permutation stand elsewhere than they did.
func (o Orders) Moved() []int {
	moved := make([]int, len(o))
	for k, order := range o {
		for u, from := range order {
			if u != from {
				moved[k]++
			}
		}
	}
	return moved
}

// Still reports whether no unit moves.
func (o Orders) Still() bool {
	return !slices.ContainsFunc(o.Moved(), func(n int) bool { return n > 0 })
}

// after is what o leads to on a model that is in other orders already.
func (o Orders) after(first Orders) Orders {
	out := make(Orders, len(o))
	for k, order := range o {
		out[k] = make([]int, len(order))
		for u, from := range order {
			out[k][u] = first[k][from]
		}
	}
	return out
}

// inverse undoes o.
func (o Orders) inverse() Orders {
	out := make(Orders, len(o))
	for k, order := range o {
		out[k] = make([]int, len(order))
		for u, from := range order {
			out[k][from] = u
		}
	}
	return out
}

// Digest returns "sha256:<hex>" of the orders of several models.
func Digest(all []Orders) string {
	h := sha256.New()
	for _, o := range all {
		fmt.Fprintf(h, "orders %d\n", len(o))
		for _, order := range o {
			fmt.Fprintf(h, "%d\n", len(order))
			for _, u := range order {
				var b [4]byte
				binary.LittleEndian.PutUint32(b[:], uint32(u))
				h.Write(b[:])
			}
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
