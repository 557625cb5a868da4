package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// fitting is what decides about shapes and places: the models and the examples.
type fitting struct {
	model     *models.Model
	exams     *exams
	footprint merge.Footprint
	kind      string // of backend
}

func newFitting(m *models.Model, e *exams, o *opened, like *merge.Spec, kind string) fitting {
	if m == nil {
		return fitting{kind: kind} // programs score what is written
	}
	p := cmp.Or(like.Parents, o.parents)
	f := like.Footprint(p, m.Names())
	layered := evaluate.Layered(m, e.all()) && len(e.panel.harnesses) == 0
	if layered {
		f.OneLayer = like.Footprint(p, evaluate.OneLayer(m)).Merged
	}
	if o.onto != nil { // the model with the adapter, where the adapter is what is merged
		f.Merged, f.Wide, f.Largest, f.OneLayer = 0, 0, 0, 0
		for _, t := range o.onto.source.Tensors() {
			n := 4 * int64(t.Len())
			f.Merged, f.Wide, f.Largest = f.Merged+int64(t.Len()*t.DType.Size()), f.Wide+n, max(f.Largest, n)
			if layered && slices.Contains(evaluate.OneLayer(m), t.Name) {
				f.OneLayer += int64(t.Len() * t.DType.Size())
			}
		}
	}
	f.Parents = o.resident()
	return fitting{m, e, f, kind}
}

// roomy is how many times what a search takes there has to be room for, to let XLA keep
// freed blocks for its next call, which is faster.
const roomy = 3

// overhead is what the program, its plugin and compiled graphs take besides: on a CPU
// what was measured of 12 layers, compiling included; on a GPU the room of CUDA's own
// context, about.
var overhead = map[string]int64{"go": 30e6, "xla:cpu": 600e6, "xla:cuda": 600e6}

// memory is what a search takes with shapes and a place.
func (f fitting) memory(pl plans, at merge.Placement) evaluate.Memory {
	search := pl.Search.Memory(f.model, f.exams.search, at, f.footprint)
	// What answers are chosen on may be there once more, for an evaluator of its own.
	report := pl.Report.Memory(f.model, slices.Concat(f.exams.all(), f.exams.validation), at, f.footprint)
	return append(search.Beside(report), evaluate.MemoryLine{What: "the program", Bytes: overhead[f.kind]})
}

// peak is the most that a memory takes of the device, and of the host where that is
// apart.
func (r room) peak(m evaluate.Memory) (device, host int64) {
	device, host = m.At(merge.OnDevice), m.At(merge.InHost)
	if !r.apart {
		return device + host, 0
	}
	return device, host
}

func (r room) holds(m evaluate.Memory) bool {
	device, host := r.peak(m)
	return device <= r.device && (!r.apart || host <= r.host)
}

// lower are plans of less memory.
func (f fitting) lower(pl plans, at merge.Placement) (plans, bool) {
	all := f.exams.all()
	by := evaluate.Lowering{Narrow: evaluate.Writes(all) && f.footprint.Merged < f.footprint.Wide, Layerwise: f.footprint.OneLayer > 0}
	if by.Layerwise { // where the vectors between layers take less than the other layers
		layered := pl
		layered.Search.Layerwise, layered.Report.Layerwise = true, true
		by.Layerwise = f.memory(layered, at).At(merge.OnDevice) < f.memory(pl, at).At(merge.OnDevice)
	}
	search, a := pl.Search.Lower(f.model, by)
	report, b := pl.Report.Lower(f.model, by)
	return plans{search, report}, a || b
}

// settled is where and in what shapes a search runs.
type settled struct {
	plans  plans
	place  merge.Placement
	memory evaluate.Memory
	room   room
	// lowered says that other shapes would be faster, if they did fit.
	lowered bool
	// tight says that memory which is freed should go back to the system at once.
	tight bool
}

// settle finds what fits: of each place, best first, the largest shapes that do. Shapes
// that are fixed are not lowered. What fits nowhere is an error with the numbers, beside
// the least that there is.
func (f fitting) settle(r room, pl plans, fixed bool, forced *merge.Placement) (settled, error) {
	if f.model == nil {
		return settled{plans: pl, room: r}, nil
	}
	places := []merge.Placement{merge.OnDevice, merge.InHost, merge.OnDisk}
	switch {
	case forced != nil:
		places = []merge.Placement{*forced}
	case !r.apart:
		places = []merge.Placement{merge.OnDevice, merge.OnDisk} // the host is the device
	}
	var least settled
	var tried []string
	for _, at := range places {
		for now, lowered := pl, false; ; lowered = true {
			least = settled{now, at, f.memory(now, at), r, lowered, false}
			if r.holds(least.memory) {
				device, _ := r.peak(least.memory)
				least.tight = !r.apart && device > r.device/roomy
				return least, nil
			}
			next, ok := f.lower(now, at)
			if fixed || !ok {
				break
			}
			now = next
		}
		device, host := r.peak(least.memory)
		text := fmt.Sprintf("%s with parents %s", size(device), where(at))
		if host > 0 {
			text += fmt.Sprintf(" and %s of the host", size(host))
		}
		tried = append(tried, text)
	}
	have := size(r.device)
	if r.apart {
		have += " of the device and " + size(r.host) + " of the host"
	}
	hint := "\nhint: fewer or smaller models, shorter texts, or more memory"
	if forced != nil {
		hint = "\nhint: --placement auto takes the first place that fits"
	}
	return least, errors.New("the search does not fit into " + have + " of memory: it needs about " + strings.Join(tried, ", ") + hint)
}

// where says a place in words.
func where(p merge.Placement) string {
	return []string{"on the device", "in host memory", "on disk"}[p]
}
