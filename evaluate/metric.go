package evaluate

import "math"

// The metrics of tasks. Scores are better when bigger: what is better when smaller
// is turned round.
const (
	// Accuracy is the share of examples that are answered right.
	Accuracy = "accuracy"
	// LogLikelihood is the mean natural logarithm of the probability of what is right.
	LogLikelihood = "log_likelihood"
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

// Percent reports whether a metric's scores are read in percent.
func Percent(metric string) bool {
	switch metric {
	case LogLikelihood, Perplexity, Score:
		return false
	}
	return true
}

// Shown is a score as people know the metric.
func Shown(metric string, score float64) float64 {
	if metric == Perplexity {
		return math.Exp(-score)
	}
	return score
}
