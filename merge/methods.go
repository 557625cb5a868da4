package merge

import (
	"math"
	"slices"
	"strings"
	"sync"
)

// table collects the rows as their files are initialised.
var table []*Method

// row puts a method into the table: that is all it takes to add one.
func row(m Method) *Method {
	if m.Elects {
		m.Deviation = strings.TrimSpace(m.Deviation + " " + signed)
	}
	table = append(table, &m)
	return &m
}

// Methods returns the table of merge methods, sorted by name.
var Methods = sync.OnceValue(func() []*Method {
	return slices.SortedFunc(slices.Values(table), func(a, b *Method) int { return strings.Compare(a.Name, b.Name) })
})

// Parameters that several methods have.
var (
	weight    = Param{Name: "weight", PerSource: true, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 1.5, Start: 0.5, Doc: "share of the model; negative subtracts it"}
	density   = Param{Name: "density", PerSource: true, Default: 1, Min: 0, Max: 1, Low: 0.1, High: 1, Start: 0.5, Grid: 1.0 / densityGrid, Doc: "share of the task vector's entries kept"}
	lambda    = Param{Name: "lambda", Default: 1, Min: math.Inf(-1), Max: math.Inf(1), Low: 0, High: 2, Start: 1, Doc: "scale of the merged task vector"}
	rescaleBy = Param{Name: "rescale_by", Choices: []string{"l1", "density"}, Doc: "what rescale restores: l1, the task vector's L1 norm (mergekit); density, its expectation by 1/p (the paper)"}
)

func required(p Param) Param {
	p.Required = true
	return p
}

func flag(name string, on bool, doc string) Param {
	p := Param{Name: name, Bool: true, Max: 1, High: 1, Doc: doc}
	if on {
		p.Default, p.Start = 1, 1
	}
	return p
}

func structural(p Param) Param {
	p.Structural = true
	return p
}

func rescale(on bool) Param {
	return flag("rescale", on, "scale up what is kept")
}

func normalize(on bool, by string) Param {
	return flag("normalize", on, "divide by the sum of the "+by)
}

const (
	agreeing = "agreeing weights"
	weights  = "weights"
	signed   = "With a negative weight, normalize divides by the sum of |w| of the agreeing models, since signed ones can cancel (--as-mergekit: by the signed sum)."
)
