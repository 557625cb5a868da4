package evaluate

import (
	"fmt"
	"slices"
)

// The kinds of tasks.
const (
	Classification = "classification"
	STS            = "sts"
	PerplexityKind = "perplexity"
	Choice         = "choice"
	Generate       = "generate"
)

// Task names a dataset and how its examples are shown to a model.
type Task struct {
	Name string
	// Kind is what is asked, Metric how it is scored.
	Kind, Metric string
	// Data is the path of a safetensors file, or of lines of JSON with texts.
	Data string
	// Text, Second, Label, Prompt and Choices name the keys of a line.
	Text, Second, Label, Prompt, Choices string
	// Delimiter stands between prompt and choice; nil is a space.
	Delimiter *string
	// Chat, if not nil, shows a prompt as the model reads what a user says.
	Chat func(prompt string) (string, error)
	// Head is the path of a safetensors file, Pooling how tokens' vectors become a
	// text's: mean, cls or last.
	Head, Pooling string
	// Features is the path of a safetensors file with what images are compared with.
	Features string
	// Stop, MaxTokens and Extract are a task's that lets models write; see [Writing].
	Stop      []string
	MaxTokens int
	Extract   string
	// MaxLength is the longest sequence in tokens; 0 is the model's, at most 512.
	MaxLength int
	// Inputs and Targets name the tensors of examples and labels in it.
	Inputs, Targets string
	// Rotate turns each image counter-clockwise: 0, 90, 180 or 270 degrees.
	Rotate int
	// Labels, if not empty, keeps the examples of these labels only.
	Labels []int
	// Limit, if positive, keeps that many examples, sampled by SampleSeed.
	Limit      int
	SampleSeed uint64
	// Split shares the examples out by a hash of each; zero means all to Search.
	Split Split
}

// Split is the share of a file's examples for each use; the rest is unused.
type Split struct{ Search, Validation, Test float64 }

// Part is one of the three uses of an example.
type Part int

// The parts of a split.
const (
	Search Part = iota
	Validation
	Test
)

func (p Part) String() string { return [...]string{"search", "validation", "test"}[p] }

// part returns the use of an example whose hash is u in [0, 1); ok is false for
// one that no part uses.
func (s Split) part(u float64) (p Part, ok bool) {
	if s == (Split{}) {
		return Search, true
	}
	for i, share := range []float64{s.Search, s.Validation, s.Test} {
		if u < share {
			return Part(i), true
		}
		u -= share
	}
	return 0, false
}

// Of returns the use of an example; ok is false for one that no part uses.
func (s Split) Of(k Key) (p Part, ok bool) { return s.part(splitPlace(k)) }

// Overlap returns an error if an example of one set is also in another: scores on
// it would not be held out. Examples are compared as stored, before rotation.
func Overlap(tasks, heldOut []*Dataset) error {
	seen := map[Key]string{}
	for _, d := range tasks {
		for _, k := range d.Keys {
			seen[k] = d.Name
		}
	}
	for _, d := range heldOut {
		both := 0
		var with string
		for _, k := range d.Keys {
			if name, ok := seen[k]; ok {
				both++
				with = name
			}
		}
		if both > 0 {
			return fmt.Errorf("%d of %d examples of held-out task %s are also in task %s: a score on them would not be held out", both, len(d.Keys), d.Name, with)
		}
	}
	return nil
}

func (t Task) keepsLabel(label int) bool {
	return len(t.Labels) == 0 || slices.Contains(t.Labels, label)
}
