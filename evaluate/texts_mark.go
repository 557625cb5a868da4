package evaluate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	gmlx "github.com/gomlx/gomlx/core/tensors"
)

// answers are what the device says of each sequence.
type answers struct {
	class  []int32
	logLik []float64
	// tempered are the log-likelihoods of the right class at each temperature, none where
	// no set needs them.
	tempered [][]float32
	vector   [][]float32
	text     []string
	// items and predicted are the marks of each set, once they are made.
	items     [][]float64
	predicted [][]int32
}

func newAnswers(n int) *answers {
	return &answers{class: make([]int32, n), logLik: make([]float64, n), tempered: make([][]float32, n), vector: make([][]float32, n), text: make([]string, n)}
}

// part is the answers to sequences [from, to).
func (a *answers) part(from, to int) *answers {
	return &answers{class: a.class[from:to], logLik: a.logLik[from:to], tempered: a.tempered[from:to], vector: a.vector[from:to], text: a.text[from:to]}
}

// read copies a call's outputs to its sequences' slots.
func (a *answers) read(c call, out []*gmlx.Tensor) error {
	if c.mode == classes {
		return a.readClasses(out, c.slots)
	}
	return gmlx.ConstFlatData(out[0], func(p []float32) {
		width := len(p) / c.rows
		for r, s := range c.slots {
			if c.mode == vectors {
				a.vector[s] = slices.Clone(p[r*width : (r+1)*width])
				continue
			}
			a.logLik[s] = float64(p[r])
		}
	})
}

// readClasses copies what [single.classify] says of a batch to the slots of its rows.
func (a *answers) readClasses(out []*gmlx.Tensor, slots []int) error {
	err := gmlx.ConstFlatData(out[0], func(p []int32) {
		for r, s := range slots {
			a.class[s] = p[r]
		}
	})
	if err == nil {
		err = gmlx.ConstFlatData(out[1], func(p []float32) {
			for r, s := range slots {
				a.logLik[s] = float64(p[r])
			}
		})
	}
	if err == nil && len(out) > 2 {
		width := len(temperatures)
		err = gmlx.ConstFlatData(out[2], func(p []float32) {
			for r, s := range slots {
				a.tempered[s] = slices.Clone(p[r*width : (r+1)*width])
			}
		})
	}
	return err
}

// mark turns answers into a result: each task's score is the mean of its items.
func (d *single) mark(ctx context.Context, a *answers) (Result, error) {
	r := Result{Tasks: map[string]float64{}}
	for i, set := range d.sets {
		from := d.first[i]
		n := set.answers()
		part := a.part(from, from+n)
		for j, l := range part.logLik {
			if math.IsNaN(l) || math.IsInf(l, 1) {
				return Result{Err: fmt.Errorf("task %s: the model's output is not a number on example %d", set.Name, j)}, nil
			}
		}
		items, predicted, tie, err := set.marks(ctx, part)
		if err != nil {
			if set.Writing != nil && !IsFailure(err) {
				return r, fmt.Errorf("task %s: the scorer: %w", set.Name, err)
			}
			return Result{Err: fmt.Errorf("task %s: %w", set.Name, err)}, nil
		}
		a.items = append(a.items, items)
		a.predicted = append(a.predicted, predicted)
		var sum float64
		for _, x := range items {
			sum += x
			r.Items = append(r.Items, float32(x))
		}
		r.Tasks[set.Name] = sum / float64(len(items))
		r.Tie += tie / float64(len(d.sets))
		r.Predicted = append(r.Predicted, predicted...)
	}
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, r.Predicted)
	_ = binary.Write(h, binary.LittleEndian, r.Items)
	copy(r.Outputs[:], h.Sum(nil))
	return r, nil
}

// marks are the items of a task, of which the score is the mean, the answers to its
// examples, and what ranks equal scores.
func (d *Dataset) marks(ctx context.Context, a *answers) (items []float64, predicted []int32, tie float64, err error) {
	n := d.Len()
	items, predicted = make([]float64, n), make([]int32, n)
	switch d.Kind {
	case STS:
		err = d.correlate(a, items)
	case PerplexityKind:
		d.likelihoods(a, items)
	case Generate:
		err = d.written(ctx, a, items, predicted)
	case Choice:
		tie = d.choose(a, items, predicted)
	default:
		copy(predicted, a.class)
		for _, l := range a.logLik {
			tie += l / float64(n)
		}
		d.classified(a, items)
	}
	return items, predicted, tie, err
}

// classified gives each example what its class is worth by the metric.
func (d *Dataset) classified(a *answers, items []float64) {
	switch d.Metric {
	case LogLikelihood:
		copy(items, a.logLik)
	case Calibrated:
		for i, l := range calibrate(slices.Concat(a.tempered...)) {
			items[i] = float64(l)
		}
	default:
		for i, class := range a.class {
			if class == d.Labels[i] {
				items[i] = 1
			}
		}
	}
}

// likelihoods gives each text its share of the mean log-likelihood of a token.
func (d *Dataset) likelihoods(a *answers, items []float64) {
	total, s := 0, 0
	for i, windows := range d.Options {
		for range windows {
			q := d.Sequences[s]
			items[i] += a.logLik[s]
			total += len(q.IDs) - q.From
			s++
		}
	}
	for i := range items {
		items[i] *= float64(len(items)) / float64(max(1, total))
	}
}

// choose takes the likeliest option of each example; the tie is the mean
// log-likelihood of the right one.
func (d *Dataset) choose(a *answers, items []float64, predicted []int32) (tie float64) {
	s := 0
	for i, options := range d.Options {
		best, at := math.Inf(-1), 0
		for o := range options {
			l := a.logLik[s+o]
			if d.Metric == AccNorm {
				l /= float64(d.Sequences[s+o].Chars) // an empty option is never the best
			}
			if l > best {
				best, at = l, o
			}
		}
		right := a.logLik[s+int(d.Labels[i])]
		predicted[i] = int32(at)
		switch {
		case d.Metric == LogLikelihood:
			items[i] = right
		case int32(at) == d.Labels[i]:
			items[i] = 1
		}
		tie += right / float64(len(items))
		s += options
	}
	return tie
}

// correlate gives each pair the product of the standardised ranks of its cosine and of
// its gold score: the mean of the products is Spearman's correlation.
func (d *Dataset) correlate(a *answers, items []float64) error {
	cosines := make([]float64, len(items))
	for i := range cosines {
		cosines[i] = cosine(a.vector[2*i], a.vector[2*i+1])
		if math.IsNaN(cosines[i]) {
			return fmt.Errorf("the model's output is not a number on pair %d", i)
		}
	}
	x, y := standardRanks(cosines), standardRanks(d.Gold)
	for i := range items {
		items[i] = x[i] * y[i]
	}
	return nil
}

// standardRanks are the ranks of values, ties sharing theirs, with mean 0 and
// variance 1; zeros where all are equal.
func standardRanks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	ranks := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to-1)/2 - float64(len(values)-1)/2
		}
		from = to
	}
	var square float64
	for _, r := range ranks {
		square += r * r / float64(len(ranks))
	}
	if square > 0 {
		for i := range ranks {
			ranks[i] /= math.Sqrt(square)
		}
	}
	return ranks
}
