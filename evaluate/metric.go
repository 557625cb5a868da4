package evaluate

import (
	"math"
	"slices"
)

// The metrics of tasks. Scores are better when bigger: what is better when smaller
// is turned round.
const (
	// Accuracy is the share of examples that are answered right.
	Accuracy = "accuracy"
	// LogLikelihood is the mean natural logarithm of the probability of what is right.
	LogLikelihood = "log_likelihood"
	// Calibrated is the same at the temperature that suits a task's examples best, another
	// for each candidate (Guo et al. 2017, temperature scaling): how sure a model is of its
	// answers, which accuracy does not see either, counts for nothing.
	Calibrated = "calibrated"
	// Perplexity is exp(-mean log-likelihood of a token); the score is the mean, and
	// [Shown] gives the perplexity.
	Perplexity = "perplexity"
	// Acc and AccNorm count choices as lm-evaluation-harness does: the option of the
	// largest log-likelihood, or of the largest by character.
	Acc, AccNorm = "acc", "acc_norm"
	// ExactMatch is the share of answers that are the right ones, as texts or as numbers.
	ExactMatch = "exact_match"
	// Score is what a program says, on a scale of its own.
	Score = "score"
	// Spearman is the rank correlation of cosines with given scores, in [-1, 1].
	Spearman = "spearman"
)

// shares are the metrics that are read in percent, those of lm-evaluation-harness among
// them; others have scales of their own.
var shares = []string{Accuracy, Acc, AccNorm, ExactMatch, Spearman, "em", "f1", "mcc", "acc_mutual_info", "acc_bytes", "acc_all", "mc1", "mc2", "pass@1", "quasi_exact_match"}

// Percent reports whether a metric's scores are read in percent.
func Percent(metric string) bool { return metric == "" || slices.Contains(shares, metric) }

// Negative reports whether a metric's scores of examples may be below 0.
func Negative(metric string) bool {
	return !Percent(metric) || metric == Spearman || metric == "mcc"
}

// Shown is a score as people know the metric.
func Shown(metric string, score float64) float64 {
	if metric == Perplexity {
		return math.Exp(-score)
	}
	return score
}
