package merge

import (
	"fmt"
	"slices"
)

// Placement is where the parents of a population lie. The weights are the same, to
// the bit, whichever it is.
type Placement uint8

// The places, each slower than the one before and smaller on the device.
const (
	// OnDevice: uploaded once, and resident.
	OnDevice Placement = iota
	// InHost: in this program's memory as stored, and uploaded a group of tensors at a
	// time, for each merge anew.
	InHost
	// OnDisk: in their files, which the system keeps in memory as far as there is room,
	// and uploaded likewise.
	OnDisk
)

var placements = []string{"device", "host", "disk"}

// Placements lists the names of the places.
func Placements() []string { return slices.Clone(placements) }

func (p Placement) String() string { return placements[p] }

// MarshalText implements encoding.TextMarshaler.
func (p Placement) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Placement) UnmarshalText(text []byte) error {
	i := slices.Index(placements, string(text))
	if i < 0 {
		return fmt.Errorf("parents lie on none of the known places: %q", text)
	}
	*p = Placement(i)
	return nil
}
