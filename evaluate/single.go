package evaluate

import (
	"context"
	"time"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// single scores merges of resident parents one at a time. Each candidate is merged
// once, on the device, in the type of the output, and its weights stay there while the
// examples go through it.
type single struct {
	pop      *merge.Population
	model    *models.Model
	sets     []*Dataset
	layout   []ItemRange
	keys     []Key
	first    []int // place of each set's first answer
	slots    int   // answers in all
	mergers  mergers
	programs map[string]*graph.Exec
	blocks   bool // models are run a layer at a time: candidates differ in depth
	outer    []string
	layer    []string // names of the weights outside layers, and of layer 0
	count    int
	busy     time.Duration
	last     *answers // of the last candidate
	tempered bool     // some set needs log-likelihoods at all temperatures
	// examine lets all examples go through a candidate.
	examine func(ctx context.Context, w *weights, a *answers) error
	// layers does so, merging as it goes, of a candidate that is never held whole: nil
	// where it is.
	layers func(ctx context.Context, s *merge.Spec, a *answers) (failed, err error)
}

func newSingle(pop *merge.Population, m *models.Model) single {
	return single{pop: pop, model: m, mergers: mergers{pop: pop, model: m, single: true}, programs: map[string]*graph.Exec{}}
}

// add takes a set in, and returns the place of its first answer.
func (d *single) add(s *Dataset) int {
	at := d.slots
	d.sets, d.first = append(d.sets, s), append(d.first, at)
	d.layout = append(d.layout, ItemRange{s.Name, len(d.keys), s.Len()})
	d.keys = append(d.keys, s.Keys...)
	d.slots += s.answers()
	d.tempered = d.tempered || s.Metric == Calibrated
	return at
}

// answers is how many a set gets: one a sequence, or one an image.
func (d *Dataset) answers() int {
	if d.Sequences != nil {
		return len(d.Sequences)
	}
	return d.Len()
}
