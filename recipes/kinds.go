package recipes

import "strings"

// kindOfTask is a kind of tasks: what models are asked.
type kindOfTask struct {
	Name, Doc string
	// Metrics are what it can be scored by, the first by default.
	Metrics []string
	// Keys are those that it reads besides what every task has, each with what it is
	// where a task leaves it out, "" for nothing.
	Keys map[string]string
}

var taskKinds = []kindOfTask{
	{"classification", "which class an input, an image or a text has; texts need a head", []string{"accuracy", "log_likelihood"},
		map[string]string{"inputs": defaultInputs, "targets": defaultTargets, "rotate": "", "labels": "", "text": "text", "label": "label", "head": "", "features": "", "pooling": "", "max_length": ""}},
	{"sts", "how alike two texts are: cosines against scores", []string{"spearman"},
		map[string]string{"text": "text", "second": "second", "label": "score", "pooling": "mean", "max_length": ""}},
	{"perplexity", "how well texts are predicted, token by token", []string{"perplexity"},
		map[string]string{"text": "text", "prompt": "", "max_length": ""}},
	{"choice", "which of several texts goes on after a prompt", []string{"acc", "acc_norm", "log_likelihood"},
		map[string]string{"prompt": "prompt", "choices": "choices", "label": "label", "max_length": ""}},
	{"generate", "what is written after a prompt, greedily, compared with an answer", []string{"exact_match"},
		map[string]string{"prompt": "prompt", "label": "answer", "extract": "", "stop": "", "max_tokens": "", "max_length": ""}},
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

// KindMetric is the metric of a kind of tasks where none is named.
func KindMetric(kind string) string { return taskKind(kind).Metrics[0] }

// kindList names the kinds and, for each, what a list of it holds.
func kindList(of func(kindOfTask) string) string {
	var parts []string
	for _, k := range taskKinds {
		parts = append(parts, of(k))
	}
	return strings.Join(parts, "; ")
}
