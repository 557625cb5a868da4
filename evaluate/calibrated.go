package evaluate

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// temperatures are those that [Calibrated] tries, a factor of 2^(1/4) apart: from a quarter,
// which makes a model surer of its answers, to 4.
var temperatures = func() (list []float64) {
	for i := -8; i <= 8; i++ {
		list = append(list, math.Pow(2, float64(i)/4))
	}
	return list
}()

// tempered are the log-likelihoods of the right classes at each of the temperatures, float32
// [..., temperatures]. right is 1 at the right class of logits [..., classes], else 0.
func tempered(logits, right *graph.Node) *graph.Node {
	all := make([]*graph.Node, len(temperatures))
	for i, t := range temperatures {
		logLik := graph.LogSoftmax(graph.DivScalar(logits, t), -1)
		all[i] = graph.ReduceAndKeep(graph.Mul(logLik, right), graph.ReduceSum, -1)
	}
	return graph.Concatenate(all, -1)
}

// calibrate returns the log-likelihoods of a task's examples, of those at all temperatures
// [examples, temperatures], at the one at which their sum is largest.
func calibrate(tempered []float32) []float32 {
	sums := make([]float64, len(temperatures))
	for i, l := range tempered {
		sums[i%len(sums)] += float64(l)
	}
	best := 0
	for i, sum := range sums {
		if sum > sums[best] {
			best = i
		}
	}
	items := make([]float32, len(tempered)/len(sums))
	for i := range items {
		items[i] = tempered[i*len(sums)+best]
	}
	return items
}
