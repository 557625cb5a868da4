package evolve

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// prompt asks for coordinates from to to of the next mean: whole numbers for
// coordinates, generations from the worst to the best, members too, and at the end the
// line that the model is to complete (the paper's least-to-most order).
func (e *EvoLLM) prompt(from, to int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `You are a black-box optimizer. A solution is a list of %d whole numbers from 0 to %d.
Fitness is to be as large as possible. Below are solutions that were evaluated, in
groups, from the worst to the best. Find the pattern, and continue it: answer with one
line, the list of %d numbers that you expect to be better than all of these, in
brackets, and nothing else.

`, to-from, e.levels, to-from)
	for _, g := range e.history {
		for i := len(g.members) - 1; i >= 0; i-- {
			m := g.members[i]
			fmt.Fprintf(&b, "fitness %s: %s\n", fitness(m.Value), e.written(m.Genome[from:to]))
		}
		b.WriteString("\n")
	}
	target := "as large as possible"
	if e.best != nil {
		target = fitness(e.best.Value + math.Max(1e-3, 0.02*math.Abs(e.best.Value)))
	}
	fmt.Fprintf(&b, "fitness %s: ", target)
	return b.String()
}

// fitness has digits enough to tell candidates apart.
func fitness(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func (e *EvoLLM) written(u []float64) string {
	words := make([]string, len(u))
	for i, v := range u {
		words[i] = strconv.Itoa(int(math.Round(v * float64(e.levels))))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

var (
	bracketed = regexp.MustCompile(`\[([^\[\]]*)\]`)
	wholes    = regexp.MustCompile(`^\s*-?\d+(?:\.0*)?\s*$`)
)

// readLevels reads the last list in brackets that has n numbers from 0 to levels:
// models think aloud before they answer.
func readLevels(answer string, n, levels int) ([]int, error) {
	all := bracketed.FindAllStringSubmatch(answer, -1)
	for i := len(all) - 1; i >= 0; i-- {
		words := strings.Split(all[i][1], ",")
		if len(words) != n {
			continue
		}
		out := make([]int, 0, n)
		for _, w := range words {
			w, _, _ := strings.Cut(strings.TrimSpace(w), ".")
			x, err := strconv.Atoi(w)
			if !wholes.MatchString(w) || err != nil || x < 0 || x > levels {
				break
			}
			out = append(out, x)
		}
		if len(out) == n {
			return out, nil
		}
	}
	return nil, fmt.Errorf("the answer has no list of %d whole numbers from 0 to %d in brackets", n, levels)
}
