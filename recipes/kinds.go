package recipes

import "strings"

// kindOfTask is a kind of tasks: what models are asked.
type kindOfTask struct {
	Name, Doc string
	// Metrics are what it can be scored by, the first by default; none where any name is
	// one.
	Metrics []string
	// Needs are the keys that it cannot do without.
	Needs []string
	// Keys are those that it reads besides what every task has, each with what it is
	// where a task leaves it out, "" for nothing.
	Keys map[string]string
}

// everyTask are the keys that a task of any kind has.
var everyTask = []string{"name", "kind", "metric", "split"}

var taskKinds = []kindOfTask{
	{"classification", "which class an input, an image or a text has; texts need a head", []string{"accuracy", "log_likelihood", "calibrated"}, theFile,
		ofFile(map[string]string{"inputs": defaultInputs, "targets": defaultTargets, "rotate": "", "labels": "", "text": "text", "label": "label", "head": "", "features": "", "pooling": "", "max_length": ""})},
	{"sts", "how alike two texts are: cosines against scores", []string{"spearman"}, theFile,
		ofFile(map[string]string{"text": "text", "second": "second", "label": "score", "pooling": "mean", "max_length": ""})},
	{"perplexity", "how well texts are predicted, token by token", []string{"perplexity"}, theFile,
		ofFile(map[string]string{"text": "text", "prompt": "", "max_length": ""})},
	{"choice", "which of several texts goes on after a prompt", []string{"acc", "acc_norm", "log_likelihood"}, theFile,
		ofFile(map[string]string{"prompt": "prompt", "choices": "choices", "label": "label", "max_length": "", "chat": ""})},
	{"generate", "what is written after a prompt, greedily, compared with an answer or scored by a program", []string{"exact_match", "score"}, theFile,
		ofFile(map[string]string{"prompt": "prompt", "label": "answer", "extract": "", "stop": "", "max_tokens": "", "max_length": "", "chat": "", "scorer": ""})},
	{"command", "what a program says of the model, which is written for it", []string{"score", "accuracy"}, []string{"command"},
		map[string]string{"command": "", "timeout": "", "dir": "", "scratch": "", "tasks": ""}},
	{"lm_eval", "what lm-evaluation-harness says of the model, which is served to it", nil, []string{"tasks"},
		map[string]string{"command": "", "timeout": "", "dir": "", "scratch": "", "tasks": "", "args": "", "num_fewshot": "", "limit": "", "max_length": ""}},
}

var theFile = []string{"data"}

// ofFile adds the keys of tasks whose examples are in a file.
func ofFile(keys map[string]string) map[string]string {
	for _, k := range []string{"data", "limit", "sample_seed"} {
		keys[k] = ""
	}
	return keys
}

// poolings are how tokens' vectors become a text's.
var poolings = []string{"mean", "cls", "last"}

// taskKind returns the kind of a name; the first where there is none.
func taskKind(name string) kindOfTask {
	for _, k := range taskKinds {
		if k.Name == name {
			return k
		}
	}
	return taskKinds[0]
}

// metric is the one of a task that names none.
func (k kindOfTask) metric(t *Task) string {
	switch {
	case t.Scorer != nil:
		return "score"
	case len(k.Metrics) == 0:
		return ""
	}
	return k.Metrics[0]
}

// OwnMetric is the metric of a task where none is named, in which what a split sets
// aside for test is reported: "" for what an outside program lists first.
func (t *Task) OwnMetric() string { return taskKind(t.Kind).metric(t) }

// kindList names the kinds and, for each, what a list of it holds.
func kindList(of func(kindOfTask) string) string {
	var parts []string
	for _, k := range taskKinds {
		parts = append(parts, of(k))
	}
	return strings.Join(parts, "; ")
}
