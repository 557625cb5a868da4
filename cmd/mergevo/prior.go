package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mergevo/mergevo/evolve"
	"github.com/mergevo/mergevo/runs"
)

// prior is another run of the same holes, to begin where it was good.
type prior struct {
	box    evolve.Box
	points []evolve.Scored[[]float64]
}

// priorNote keeps a prior's points in the run that began with them, so that resuming it
// needs no other run.
const priorNote = "prior"

// newPrior is of points of the unit cube, best first. Their order is all that counts.
func newPrior(box evolve.Box, points [][]float64) *prior {
	p := &prior{box: box}
	for i, u := range points {
		p.points = append(p.points, evolve.Scored[[]float64]{
			Candidate: evolve.Candidate[[]float64]{ID: uint64(i + 1), Genome: u}, Score: evolve.Score{Value: float64(-i)}})
	}
	return p
}

// genomes are the points, best first.
func (p *prior) genomes() [][]float64 {
	var out [][]float64
	for _, s := range p.points {
		out = append(out, s.Genome)
	}
	return out
}

// openPrior reads the candidates of a run, best first; nil for no folder.
func openPrior(dir string) (*prior, error) {
	if dir == "" {
		return nil, nil
	}
	run, err := runs.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("--prior: %w", err)
	}
	defer run.Close() //nolint:errcheck // it is read only
	var st settings
	if err := json.Unmarshal(run.Manifest().Settings, &st); err != nil {
		return nil, fmt.Errorf("--prior %s: the settings kept in the run: %w", dir, err)
	}
	p := prior{}
	for rec, err := range run.Records() {
		if err != nil {
			return nil, fmt.Errorf("--prior %s: %w", dir, err)
		}
		if !rec.Failed() {
			p.points = append(p.points, rec.Scored)
		}
	}
	if len(p.points) == 0 {
		return nil, usage(fmt.Errorf("--prior %s: no candidate of the run has a score", dir))
	}
	evolve.Rank(p.points)
	return newPrior(st.Box, p.genomes()), nil
}

// fits refuses a prior of other holes.
func (p *prior) fits(dir string, box evolve.Box) error {
	if p == nil {
		return nil
	}
	for i, g := range p.box[:min(len(p.box), len(box))] {
		if b := box[i]; g.Name != b.Name || g.Lo != b.Lo || g.Hi != b.Hi || g.Log != b.Log || g.Choices != b.Choices {
			return usage(fmt.Errorf("--prior %s: its gene %d is %s in [%v, %v], here it is %s in [%v, %v]\nhint: a prior needs the same models and holes; tasks and examples may differ",
				dir, i+1, g.Name, g.Lo, g.Hi, b.Name, b.Lo, b.Hi))
		}
	}
	if len(p.box) != len(box) {
		return usage(fmt.Errorf("--prior %s: it has %d genes, the recipe has %d", dir, len(p.box), len(box)))
	}
	return nil
}

// start puts the prior into an optimizer's settings: its points for who learns from
// them, and the best for the first generation of who does not.
func (p *prior) start(o *evolve.Settings) {
	if p == nil {
		return
	}
	o.Prior = p.points
	o.Inject = [][]float64{p.points[0].Genome}
}

// keep stores the prior in the run.
func (p *prior) keep(run *runs.Run) error {
	if p == nil {
		return nil
	}
	return run.SetNote(priorNote, p.genomes())
}

// keptPrior is the prior of a run that began with one from dir.
func keptPrior(run *runs.Run, dir string, box evolve.Box) (*prior, error) {
	if dir == "" {
		return nil, nil
	}
	var points [][]float64
	ok, err := run.Note(priorNote, &points)
	if err != nil {
		return nil, err
	}
	if !ok || len(points) == 0 {
		return nil, errors.New("the run was stopped before it kept what --prior gave it\nhint: nothing is lost; begin it again")
	}
	return newPrior(box, points), nil
}
