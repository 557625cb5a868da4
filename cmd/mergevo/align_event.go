package main

import (
	"fmt"
	"io"

	"github.com/mergevo/mergevo/merge/align"
)

// alignEvent is what became of models that were aligned.
type alignEvent struct {
	To       string         `json:"to"`
	Family   string         `json:"family"`
	Seed     uint64         `json:"seed"`
	Together bool           `json:"together,omitempty"`
	Digest   string         `json:"digest"` // of the orders
	Models   []alignedModel `json:"models"`
	// Mean is what the mean of all models scores, as they are and in new orders.
	Mean    []step  `json:"mean,omitempty"`
	Seconds float64 `json:"seconds"`
}

// alignedModel is one that was aligned to the first.
type alignedModel struct {
	Name     string           `json:"name"`
	Out      string           `json:"out,omitempty"`
	Units    int              `json:"units"`
	Moved    int              `json:"moved"`
	Sets     []unitSet        `json:"sets"`
	Distance align.Distance   `json:"distance"`
	Tensors  []align.Distance `json:"tensors"`
	Vectors  []align.Vectors  `json:"vectors,omitempty"`
	Path     *course          `json:"path,omitempty"`
}

// unitSet is units that may change places with each other.
type unitSet struct {
	Name  string `json:"name"`
	Units int    `json:"units"`
	Moved int    `json:"moved"`
}

func (alignEvent) name() string { return "aligned" }

// shownTensors is how many tensors are shown to people.
const shownTensors = 12

func (e alignEvent) text(w io.Writer) {
	for _, m := range e.Models {
		fmt.Fprintf(w, "%s, aligned to %s: %d of %d units moved, in %s (%s)\n", m.Name, e.To, m.Moved, m.Units, count(len(m.Sets), "set"), e.Family)
		if m.Moved == 0 {
			fmt.Fprintln(w, "its units were in the same order already, as those of fine-tunes of one base are")
		}
		d := m.Distance
		fmt.Fprintf(w, "\n%-44s %12s %12s\n", "", "before", "after")
		fmt.Fprintf(w, "%-44s %12.6g %12.6g\n", "sum of products", d.ProductBefore, d.ProductAfter)
		fmt.Fprintf(w, "%-44s %12.6g %12.6g\n", fmt.Sprintf("distance, where %s has norm %.4g", "A", d.Norm), d.Before, d.After)
		if len(m.Vectors) > 0 {
			m.vectors(w)
		}
		if m.Path != nil {
			m.Path.text(w)
		}
		if m.Out != "" {
			fmt.Fprintf(w, "\nwrote %s\n", m.Out)
		}
		fmt.Fprintln(w)
	}
	if len(e.Mean) == 2 {
		fmt.Fprintf(w, "mean of all models: loss %.4f, score %.2f %%; aligned: loss %.4f, score %.2f %%\n", e.Mean[0].Loss, 100*e.Mean[0].Score, e.Mean[1].Loss, 100*e.Mean[1].Score)
	}
}

// vectors writes how well singular vectors agree.
func (m alignedModel) vectors(w io.Writer) {
	fmt.Fprintln(w, "agreement of leading singular vectors, 0 to 1")
	var before, after float64
	for i, x := range m.Vectors {
		before, after = before+x.Before, after+x.After
		if i < shownTensors {
			fmt.Fprintf(w, "  %-42s %12.3f %12.3f\n", x.Tensor, x.Before, x.After)
		}
	}
	n := len(m.Vectors)
	if n > shownTensors {
		fmt.Fprintf(w, "  and %d more; --json has them\n", n-shownTensors)
	}
	fmt.Fprintf(w, "  %-42s %12.3f %12.3f\n", "mean", before/float64(n), after/float64(n))
}

// text writes a way.
func (p *course) text(w io.Writer) {
	fmt.Fprintf(w, "\n  on the way   loss before   loss after   score before   score after\n")
	for k, s := range p.Before {
		fmt.Fprintf(w, "%12.2f  %12.4f %12.4f %12.2f %% %11.2f %%\n", s.T, s.Loss, p.After[k].Loss, 100*s.Score, 100*p.After[k].Score)
	}
	fmt.Fprintf(w, "%12s  %12.4f %12.4f %12.2f   %11.2f\n", "barrier", p.BarrierBefore.Loss, p.BarrierAfter.Loss, 100*p.BarrierBefore.Score, 100*p.BarrierAfter.Score)
}
