package evaluate

import "math"

// Interval is an estimate with a 95 % confidence interval of Mean ± Half.
type Interval struct{ Mean, Half float64 }

// z95 is the normal quantile of a two-sided 95 % interval.
const z95 = 1.959964

// Mean returns the weighted mean of the tasks' scores, divided by the sum of the
// weights' magnitudes, with its interval: a negative weight is of what shall fall. The
// sampling unit is the example, not the item: an image that is shown in two tasks
// counts as one draw, so that tasks over the same images are not taken for
// independent. keys names the example behind each item.
func Mean(layout []ItemRange, keys []Key, weights map[string]float64, items []float32) Interval {
	var total float64
	for _, t := range layout {
		total += math.Abs(weights[t.Task])
	}
	var mean float64
	var influence []float64 // an example's, in order of first sight
	place := map[Key]int{}
	for _, t := range layout {
		share := weights[t.Task] / total
		if share == 0 {
			continue
		}
		var sum float64
		for _, x := range items[t.Offset : t.Offset+t.Count] {
			sum += float64(x)
		}
		taskMean := sum / float64(t.Count)
		mean += share * taskMean
		for i := t.Offset; i < t.Offset+t.Count; i++ {
			at, ok := place[keys[i]]
			if !ok {
				at = len(influence)
				place[keys[i]] = at
				influence = append(influence, 0)
			}
			influence[at] += share * (float64(items[i]) - taskMean) / float64(t.Count)
		}
	}
	var variance float64
	for _, v := range influence {
		variance += v * v
	}
	return Interval{mean, z95 * math.Sqrt(variance)}
}

// Gap returns Mean(a) - Mean(b) with the interval of the paired difference.
func Gap(layout []ItemRange, keys []Key, weights map[string]float64, a, b []float32) Interval {
	diff := make([]float32, len(a))
	for i := range a {
		diff[i] = a[i] - b[i]
	}
	return Mean(layout, keys, weights, diff)
}
