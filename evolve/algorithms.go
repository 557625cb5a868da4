package evolve

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Settings are what all optimizers of numbers are configured with; each uses
// what applies to it. Zero values are the optimizer's defaults.
type Settings struct {
	// Population is the number of candidates a generation.
	Population int

	// Sigma is the first step size in unit coordinates, in (0, 1]; optimizers
	// without one ignore it. Default 0.25.
	Sigma float64

	// Seed chooses the run.
	Seed uint64

	// Options are the row's own, by name, as a user writes them.
	Options map[string]string

	// Inject are points of the unit cube that the first generation shall have, such
	// as merges made by hand. Optimizers which cannot use them ignore them.
	Inject [][]float64

	// Prior are scored points of another search of the same box, such as one on
	// fewer examples, to begin where they were good.
	Prior []Scored[[]float64]

	// Start is the first point, in the unit cube. Default the box's.
	Start []float64

	// Free searches all of ℝⁿ, for rows which can: see CMAOptions.Free. Restarts are
	// then uniform between RestartLo and RestartHi; default Start.
	Free                 bool
	RestartLo, RestartHi []float64

	// Evaluations is the budget, for optimizers which spread something over it; 0
	// where there is none.
	Evaluations int

	// Proposer answers prompts, for rows which ask a language model.
	Proposer Proposer

	// Negative says that scores of examples may be below 0, as log-likelihoods are.
	Negative bool

	// Objectives is the number of Score.Objectives, for those who search for a
	// front, and Descriptors that of Score.Descriptors, for those who keep an
	// archive of what differs. Default 2 each.
	Objectives, Descriptors int
}

// Proposer sends a prompt to a language model, and returns its answer and what that
// took in tokens. Asked the same twice in a run it has to answer the same.
type Proposer func(ctx context.Context, prompt string) (answer string, tokens int, err error)

// Option is a setting that one optimizer alone has: a number, one of Words, or text.
type Option struct {
	Name, Doc string
	Default   string   // as a user would write it
	Words     []string // nil: a number, or
	Text      bool     // any text, or
	List      bool     // words, separated by commas
	Min, Max  float64  // both included
	Int       bool
}

// Algorithm is a row of Optimizers.
type Algorithm struct {
	Name string // what a user writes
	Doc  string // one sentence: what it does
	Use  string // one sentence: when to take it
	Cite string // where it comes from; "" if everybody knows

	// Population is the default number of candidates a generation, in words; ""
	// for an optimizer that decides itself.
	Population string
	Options    []Option

	// Free says that it can search all of ℝⁿ, Front that it trades off several
	// objectives, Descriptors that it uses what candidates are like.
	// Proposer that it needs Settings.Proposer, Seedless that nothing is drawn.
	Free, Front, Descriptors, Proposer, Seedless bool

	// New makes one for the box. The error says which gene, setting or option is
	// wrong.
	New func(box Box, o Settings) (Optimizer[[]float64], error)
}

var table []Algorithm

// row adds an optimizer to the table; what its New gets is valid, and every option
// is set.
func row(a Algorithm) bool {
	make := a.New
	a.New = func(box Box, o Settings) (Optimizer[[]float64], error) {
		if err := box.Validate(); err != nil {
			return nil, err
		}
		o, err := a.settle(o)
		if err != nil {
			return nil, err
		}
		opt, err := make(box, o)
		if err != nil {
			return nil, err // not opt: a nil pointer in the interface is not nil
		}
		return opt, nil
	}
	table = append(table, a)
	return true
}

// DefaultOptimizer is the one for who names none.
const DefaultOptimizer = "cmaes"

// Optimizers lists the optimizers of numbers, the default first, then by name.
// Help, validation, docs and tests read this table and no other.
func Optimizers() []Algorithm {
	return slices.SortedFunc(slices.Values(table), func(a, b Algorithm) int {
		if (a.Name == DefaultOptimizer) != (b.Name == DefaultOptimizer) {
			return cmp.Compare(b2i(b.Name == DefaultOptimizer), b2i(a.Name == DefaultOptimizer))
		}
		return cmp.Compare(a.Name, b.Name)
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// LookupOptimizer finds a row by its name.
func LookupOptimizer(name string) (Algorithm, bool) {
	i := slices.IndexFunc(table, func(a Algorithm) bool { return a.Name == name })
	if i < 0 {
		return Algorithm{}, false
	}
	return table[i], true
}

// settle checks settings that all optimizers share and the row's options, and sets
// those that are unset.
func (a Algorithm) settle(o Settings) (Settings, error) {
	if o.Population < 0 || o.Population > maxPopulation {
		return o, fmt.Errorf("population %d is not in [1, %d]", o.Population, maxPopulation)
	}
	if o.Free && !a.Free {
		return o, fmt.Errorf("%s needs bounds", a.Name)
	}
	if o.Sigma < 0 || o.Sigma > 1 && !o.Free || math.IsNaN(o.Sigma) {
		return o, fmt.Errorf("sigma %v is not in (0, 1]", o.Sigma)
	}
	if a.Proposer && o.Proposer == nil {
		return o, fmt.Errorf("%s asks a language model, and none is given", a.Name)
	}
	set(&o.Sigma, 0.25)
	set(&o.Objectives, 2)
	set(&o.Descriptors, 2)
	given := o.Options
	o.Options = map[string]string{}
	var names []string
	for _, p := range a.Options {
		names = append(names, p.Name)
		v, ok := given[p.Name]
		if !ok {
			v = p.Default
		} else if err := p.Validate(v); err != nil {
			return o, err
		}
		o.Options[p.Name] = v
	}
	for name := range given {
		if !slices.Contains(names, name) {
			if names == nil {
				return o, fmt.Errorf("%s has no option %s: it has none", a.Name, name)
			}
			return o, fmt.Errorf("%s has no option %s: it has %s", a.Name, name, strings.Join(names, ", "))
		}
	}
	return o, nil
}

// Validate says what is wrong with a value, as a user wrote it.
func (p Option) Validate(v string) error {
	if p.Text || p.List {
		return nil
	}
	if p.Words != nil {
		if !slices.Contains(p.Words, v) {
			return fmt.Errorf("%s is %s, not %q", p.Name, strings.Join(p.Words, ", "), v)
		}
		return nil
	}
	x, err := strconv.ParseFloat(v, 64)
	switch {
	case err != nil || math.IsNaN(x):
		return fmt.Errorf("%s is a number, not %q", p.Name, v)
	case p.Int && x != math.Trunc(x):
		return fmt.Errorf("%s is a whole number, not %s", p.Name, v)
	case x < p.Min || x > p.Max:
		return fmt.Errorf("%s %s is not in [%g, %g]", p.Name, v, p.Min, p.Max)
	}
	return nil
}

// word is an option of settled settings.
func (o Settings) word(name string) string { return o.Options[name] }

// number is an option of settled settings; rows' defaults are numbers too.
func (o Settings) number(name string) float64 {
	x, err := strconv.ParseFloat(o.Options[name], 64)
	if err != nil {
		panic("evolve: option " + name + " is no number")
	}
	return x
}

func (o Settings) whole(name string) int { return int(o.number(name)) }
