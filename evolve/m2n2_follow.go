package evolve

import (
	"fmt"
	"slices"
)

// What bred elsewhere by the same rules, such as a graph on a device that keeps the
// archive, is followed: the search here knows what is there, keeps it, and can go on.

// Slots returns the archive by slot; an ID of 0 is an empty one.
func (m *M2N2[G]) Slots() []Scored[G] { return slices.Clone(m.members) }

// Next is the ID of the next candidate.
func (m *M2N2[G]) Next() uint64 { return m.first }

// Follow takes children in the order in which they were let in, and where: slots are
// len(Slots()) for who was not. The children are whole flights, behind the seeds. Their
// genomes may be missing until SetGenome. A steady search cannot follow.
func (m *M2N2[G]) Follow(children []Scored[G], slots []int) error {
	if m.first == 1 || m.options.Steady || len(children) != len(slots) || len(children)%m.options.InFlight != 0 {
		return fmt.Errorf("%d children and %d slots behind candidate %d, with %d in flight: %w", len(children), len(slots), m.first-1, m.options.InFlight, ErrNotAsked)
	}
	for i, c := range children {
		if c.ID != m.first+uint64(i) || slots[i] < 0 || slots[i] > len(m.members) || slots[i] < len(m.members) && (c.Failed() || len(c.Items) == 0) {
			return fmt.Errorf("child %d in slot %d: %w", c.ID, slots[i], ErrNotAsked)
		}
	}
	for i, c := range children {
		if slots[i] < len(m.members) {
			c.Parents = distinct(c.Parents)
			m.members[slots[i]] = c
		}
	}
	m.asked, m.pending = asked{first: m.first + uint64(len(children))}, nil
	return nil
}

// SetGenome says what genome the member of a slot has.
func (m *M2N2[G]) SetGenome(slot int, g G) { m.members[slot].Genome = g }
