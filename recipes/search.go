package recipes

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/evolve"
)

// Search is the `search:` block: what a search is scored on, and how long it
// runs. [SearchKeys] documents its keys and defaults.
type Search struct {
	Optimizer Optimizer
	// Evaluations is a hard cap; 0 is none, which only a time limit allows.
	Evaluations int
	// Time is a limit; 0 is none.
	Time time.Duration
	// Objective weighs tasks by name; nil gives every task weight 1. See
	// [Search.Weight].
	Objective map[string]float64
	// Pareto names tasks that are traded off, each in its own right, instead of an
	// objective that weighs them.
	Pareto []string
	// Descriptors say what candidates are like, for archives of what differs.
	Descriptors []Descriptor
	// Tasks are what candidates are scored on, HeldOut what the report alone sees.
	Tasks, HeldOut []Task
}

// Optimizer chooses and tunes the optimizer. Names are the caller's to check,
// with [Recipe.ErrorAt].
type Optimizer struct {
	Name string
	// Population and Sigma are the optimizer's own defaults where 0.
	Population int
	Sigma      float64
	// Options are the optimizer's own, as written; those of a known one are checked.
	Options map[string]string
}

// Descriptor is one number in [0, 1] that says what a candidate is like.
type Descriptor struct {
	// Task is the task whose score it is; "" for the others.
	Task string
	// Share is the model whose part of all weights it is, by size, averaged over the
	// tensors.
	Share string
	// Answers is the label whose share of a candidate's answers it is, as text, or
	// "entropy" for how evenly they are spread.
	Answers string
}

// LimitAuto is a Task.Limit that leaves the number of examples to the search.
const LimitAuto = -1

// Task is a set of examples and how models are scored on them.
type Task struct {
	Name string
	// Kind is what is asked, Metric how it is scored: see [SearchKeys].
	Kind, Metric string
	// Data is a file of tensors, of which Inputs and Targets are the names, or of
	// lines of JSON, of which Text, Second, Label, Prompt and Choices are keys.
	Data, Inputs, Targets                string
	Text, Second, Label, Prompt, Choices string
	// Head and Features are files of tensors, Pooling is how tokens' vectors become a
	// text's.
	Head, Features, Pooling string
	// Extract, Stop and MaxTokens say what counts of what a model writes, and what
	// ends it.
	Extract   string
	Stop      []string
	MaxTokens int
	// Chat shows prompts as the tokenizer's chat template has a user say them.
	Chat bool
	// Program is what a task is asked of, of the kinds that ask one; Scorer scores
	// what a model writes, nil where answers are compared.
	Program, Scorer *Program
	// Parts are the tasks that a program reports apart; nil is one.
	Parts []string
	// FewShot is the number of examples that lm_eval shows first, nil for its own.
	FewShot *int
	// MaxLength cuts texts to so many tokens; 0 leaves it to the model.
	MaxLength int
	// Rotate turns images by 0, 90, 180 or 270 degrees, counter-clockwise.
	Rotate int
	// Labels keeps the examples of these labels only; all, if empty.
	Labels []int
	// Limit keeps that many examples, drawn with SampleSeed; 0 keeps all.
	Limit      int
	SampleSeed uint64
	// Split divides the file by a hash of the example; zero, as in HeldOut, is
	// for a file used whole.
	Split Split
}

// Split says which shares of a file are for what. What is left is not used.
type Split struct{ Search, Validation, Test float64 }

// defaultSplit sets examples aside to choose the answer on: the best of many
// candidates looks better than it is on those that it was the best on.
var defaultSplit = Split{Search: 0.75, Validation: 0.25}

// Weight returns a task's weight in the objective: 0 for one that a given
// objective leaves out. What a program reports apart has that of the whole, where it
// has none of its own.
func (s *Search) Weight(task string) float64 {
	whole, _, _ := strings.Cut(task, "/")
	switch {
	case s.Pareto != nil:
		if slices.Contains(s.Pareto, task) {
			return 1
		}
		return 0
	case s.Objective == nil:
		return 1
	}
	if w, ok := s.Objective[task]; ok {
		return w
	}
	return s.Objective[whole]
}

// Scores are the names of what a task is scored on: its own, or one for each of several
// Parts.
func (t *Task) Scores() []string {
	if len(t.Parts) < 2 {
		return []string{t.Name}
	}
	var names []string
	for _, p := range t.Parts {
		names = append(names, t.Name+"/"+p)
	}
	return names
}

const (
	defaultOptimizer   = evolve.DefaultOptimizer
	paretoOptimizer    = "nsga2"
	defaultEvaluations = 300
	defaultInputs      = "images"
	defaultTargets     = "labels"
)

// Key documents a key of the search block.
type Key struct{ Path, Default, Doc string }

// SearchKeys lists the keys of the search block in the order they are written,
// with what a file that leaves them out gets. Help and plans print it.
func SearchKeys() []Key {
	return []Key{
		{"search.optimizer", defaultOptimizer, "a name, or {name, population, sigma} and the optimizer's options"},
		{"search.optimizer.name", defaultOptimizer, "the optimizer: mergevo optimizers lists them; " + paretoOptimizer + " with pareto, " + nicheOptimizer + " for niche merges"},
		{"search.optimizer.population", "the optimizer's", "candidates a generation"},
		{"search.optimizer.sigma", "the optimizer's", "first step size, as a share of the bounds"},
		{"search.evaluations", "300, none with a time", "hard cap on evaluated candidates"},
		{"search.time", "none", "limit such as 2h or 90m"},
		{"search.objective", "every task 1", "weight of each task; a task it leaves out weighs 0"},
		{"search.pareto", "none", "list of tasks to trade off in the place of an objective: the result is a front of recipes"},
		{"search.descriptors", "the optimizer's", "what candidates are like, for map-elites and its kin: a task's score, {share: MODEL}, {answers: LABEL or entropy}"},
		{"search.tasks", "required", "what candidates are scored on"},
		{"search.held_out", "none", "tasks for the report, which never steer the search"},
		{"tasks.name", "required", "unique in its list"},
		{"tasks.kind", "required", kindList(func(k kindOfTask) string { return k.Name + ": " + k.Doc })},
		{"tasks.metric", "the kind's first", kindList(func(k kindOfTask) string {
			return k.Name + " " + cmp.Or(strings.Join(k.Metrics, ", "), "any that its tasks report")
		}) + "; what a split sets aside for test has the kind's first"},
		{"tasks.data", "required but for programs", "a safetensors file with the examples, or .jsonl with texts"},
		{"tasks.inputs", defaultInputs, "its tensor of inputs"},
		{"tasks.targets", defaultTargets, "its tensor of labels"},
		{"tasks.text", "text", "the key of the text in a line"},
		{"tasks.second", "second", "the key of the other text of a pair"},
		{"tasks.label", "label, score or answer", "the key of the class, the right choice, a pair's score, or the answer"},
		{"tasks.prompt", "prompt", "the key of what stands before: the choices, or what perplexity does not count"},
		{"tasks.choices", "choices", "the key of the list of choices"},
		{"tasks.head", "none", "a safetensors file with head.weight [classes, width] and head.bias, never merged"},
		{"tasks.features", "none", "a safetensors file with text_features [classes, width], never merged: what a model of texts and images compares images with"},
		{"tasks.pooling", "mean", "how tokens' vectors become a text's: " + strings.Join(poolings, ", ")},
		{"tasks.max_length", "the model's, at most 512", "longest text in tokens"},
		{"tasks.extract", "all of it", "a regular expression that finds the answer in what is written: its first group, or the first match"},
		{"tasks.stop", "none", "list of texts that end what is written"},
		{"tasks.max_tokens", "64", "the most that is written, in tokens"},
		{"tasks.chat", "false", "whether prompts go through the tokenizer's chat template, as what a user says"},
		{"tasks.scorer", "none", "{command, timeout, dir}: a program that gets what is written as lines of JSON and returns a score a line"},
		{"tasks.command", "required; lm_eval", "the program and its arguments, a list that no shell reads; " + placeholderList()},
		{"tasks.timeout", FormatDuration(DefaultTimeout), "the longest that a program may take, such as 90s or 10m"},
		{"tasks.dir", "the recipe's folder", "the folder that a program runs in"},
		{"tasks.scratch", "in the run's folder", "the folder where models are written for programs; emptied after each"},
		{"tasks.tasks", "required for lm_eval", "list of the tasks that a program reports; of several, each is scored apart as NAME/TASK"},
		{"tasks.num_fewshot", "the task's", "examples that lm_eval shows first"},
		{"tasks.args", "none", "list of further arguments of lm_eval"},
		{"tasks.rotate", "0", "degrees counter-clockwise: 0, 90, 180 or 270"},
		{"tasks.labels", "all", "list of labels whose examples are kept"},
		{"tasks.limit", "all", "number of examples, or auto"},
		{"tasks.sample_seed", "0", "which examples a limit keeps"},
		{"tasks.split", "0.75, 0.25, 0", "shares {search, validation, test} of one file; not in held_out"},
	}
}

// keysUnder lists the keys directly under a path of SearchKeys.
func keysUnder(path string) []string {
	var keys []string
	for _, k := range SearchKeys() {
		if rest, ok := strings.CutPrefix(k.Path, path+"."); ok && !strings.Contains(rest, ".") {
			keys = append(keys, rest)
		}
	}
	return keys
}

// Moved is the search for a recipe in another folder: to gives each data file's
// path from there.
func (s *Search) Moved(to func(data string) string) *Search {
	c := *s
	c.Tasks, c.HeldOut = slices.Clone(s.Tasks), slices.Clone(s.HeldOut)
	for _, list := range [][]Task{c.Tasks, c.HeldOut} {
		for i := range list {
			t := &list[i]
			for _, file := range []*string{&t.Data, &t.Head, &t.Features} {
				if *file != "" {
					*file = to(*file)
				}
			}
			t.Program, t.Scorer = t.Program.moved(to), t.Scorer.moved(to)
		}
	}
	return &c
}
