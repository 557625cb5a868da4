package recipes

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Program is a program that a recipe names. Who runs it asks first: recipes are data
// that strangers share.
type Program struct {
	// Command is the program and its arguments, which no shell reads. Words in braces
	// that [Placeholders] lists stand for something; {{word}} is {word}.
	Command []string
	// Args are further arguments, of lm_eval.
	Args []string
	// Timeout ends the program with all that it started.
	Timeout time.Duration
	// Dir is the folder that it runs in, Scratch where models are written for it; ""
	// leaves both to the caller. Both are the recipe's to name, relative to it.
	Dir, Scratch string
}

// DefaultTimeout is a program's where none is given.
const DefaultTimeout = time.Hour

// Placeholder documents a word in braces in a command.
type Placeholder struct{ Name, Doc string }

// Placeholders are what a command may have in braces.
func Placeholders() []Placeholder {
	return []Placeholder{
		{"model", "the folder where the model lies, as apply writes it"},
		{"output", "a file for the answer, in the place of the standard output"},
		{"part", "search, validation or test: which examples are asked for"},
		{"task", "the task's name"},
		{"candidate", "the candidate's number, 0 for what is none"},
		{"seed", "the recipe's seed"},
	}
}

// placeholderList names them all, with what they stand for.
func placeholderList() string {
	var parts []string
	for _, p := range Placeholders() {
		parts = append(parts, "{"+p.Name+"} "+p.Doc)
	}
	return strings.Join(parts, "; ")
}

// braced are placeholders, and words in double braces, which are none. Braces around
// anything else, as in JSON, stay as they are.
var braced = regexp.MustCompile(`\{\{[A-Za-z_]+\}\}|\{[A-Za-z_]+\}`)

// Expand gives the words in braces their values; others stay.
func (p *Program) Expand(values map[string]string) []string {
	out := slices.Clone(p.Command)
	for i := range out {
		out[i] = braced.ReplaceAllStringFunc(out[i], func(word string) string {
			if strings.HasPrefix(word, "{{") {
				return word[1 : len(word)-1]
			}
			if value, ok := values[strings.Trim(word, "{}")]; ok {
				return value
			}
			return word
		})
	}
	return out
}

// Names reports whether the command has a placeholder.
func (p *Program) Names(placeholder string) bool {
	found := false
	for _, word := range p.Command {
		for _, b := range braced.FindAllString(word, -1) {
			found = found || b == "{"+placeholder+"}"
		}
	}
	return found
}

// moved is the program of a recipe in another folder: to gives each path from there.
// Its arguments may be files beside the recipe, so it runs where they are.
func (p *Program) moved(to func(string) string) *Program {
	if p == nil {
		return nil
	}
	c := *p
	if c.Dir == "" {
		c.Dir = "."
	}
	if c.Dir = to(c.Dir); c.Dir == "." {
		c.Dir = ""
	}
	if c.Scratch != "" {
		c.Scratch = to(c.Scratch)
	}
	return &c
}

// programs decodes what of a task is outside programs'.
func (d *decoder) programs(t *Task, f map[string]*node) {
	kind := taskKind(t.Kind)
	if v, ok := f["scorer"]; ok {
		if s := d.fields(v, "scorer", []string{"command", "timeout", "dir"}); s != nil {
			if _, ok := s["command"]; !ok && !d.meant["command"] {
				d.at(v.place, "scorer has no command")
			}
			t.Scorer = d.program(s, []string{"task", "seed"})
		}
	}
	if v, ok := f["tasks"]; ok {
		var at []place
		t.Parts, at = d.words(v, "tasks")
		for i, p := range t.Parts {
			if kind.Name == "lm_eval" && strings.ContainsAny(p, ", *") {
				d.at(at[i], "%q: name the tasks one by one, without * or commas", shorten(p))
			}
		}
	}
	if v, ok := f["num_fewshot"]; ok {
		n := d.whole(v, "num_fewshot", 0, math.MaxInt32)
		t.FewShot = &n
	}
	if _, asks := kind.Keys["command"]; !asks {
		return
	}
	var may []string
	for _, p := range Placeholders() {
		may = append(may, p.Name)
	}
	if kind.Name == "lm_eval" {
		may = []string{"task", "seed"}
	}
	t.Program = d.program(f, may)
	if kind.Name == "lm_eval" && t.Program.Command == nil {
		t.Program.Command = []string{"lm_eval"}
	}
	if n, ok := f["command"]; ok && kind.Name == "command" && !t.Program.Names("model") {
		d.hint(n.place, `such as [python3, score.py, "{model}"]`, "the command is not told where the model lies")
	}
}

// program decodes the keys of a program, in whose command those placeholders may stand.
func (d *decoder) program(f map[string]*node, may []string) *Program {
	p := &Program{Timeout: DefaultTimeout}
	if v, ok := f["command"]; ok {
		if v.kind == scalarNode {
			d.hint(v.place, `command: [program, argument, "{model}"]`, "command is a list, which no shell reads, not %s", v.describe())
			v = &node{kind: listNode, place: v.place, items: []*node{v}}
		}
		for i, item := range d.list1(v, "command") {
			word, _ := d.text(item, "an argument")
			if i == 0 && word == "" {
				d.at(item.place, "the program has no name")
			}
			for _, b := range braced.FindAllString(word, -1) {
				if name := strings.Trim(b, "{}"); !strings.HasPrefix(b, "{{") && !slices.Contains(may, name) {
					d.hint(item.place, d.didYouMeanAmong(name, may), "there is no {%s} here", shorten(name))
				}
			}
			p.Command = append(p.Command, word)
		}
	}
	if v, ok := f["args"]; ok {
		for _, item := range d.list1(v, "args") {
			word, _ := d.text(item, "an argument")
			p.Args = append(p.Args, word)
		}
	}
	if v, ok := f["timeout"]; ok {
		p.Timeout = d.duration(v, "timeout")
	}
	for _, w := range []struct {
		key string
		to  *string
	}{{"dir", &p.Dir}, {"scratch", &p.Scratch}} {
		if v, ok := f[w.key]; ok {
			*w.to = d.named(v, w.key)
		}
	}
	return p
}

// didYouMeanAmong names the nearest, else all; a word in double braces stays as it is.
func (d *decoder) didYouMeanAmong(name string, may []string) string {
	hint := d.didYouMean(name, may)
	if hint == "" {
		hint = "known: {" + strings.Join(may, "}, {") + "}; {{" + name + "}} is the word itself"
	}
	return hint
}

// encode writes a program's keys.
func (p *Program) encode(n *node) {
	if len(p.Command) > 0 {
		n.put("command", wordList(p.Command))
	}
	if p.Args != nil {
		n.put("args", wordList(p.Args))
	}
	if p.Timeout != DefaultTimeout {
		n.put("timeout", word(FormatDuration(p.Timeout)))
	}
	if p.Dir != "" {
		n.put("dir", word(p.Dir))
	}
	if p.Scratch != "" {
		n.put("scratch", word(p.Scratch))
	}
}

// encodePrograms writes what of a task is outside programs'.
func (t *Task) encodePrograms(n *node) {
	if t.Scorer != nil {
		m := &node{flow: true}
		t.Scorer.encode(m)
		n.put("scorer", m)
	}
	if t.Program != nil {
		t.Program.encode(n)
	}
	if t.Parts != nil {
		n.put("tasks", wordList(t.Parts))
	}
	if t.FewShot != nil {
		n.put("num_fewshot", intNode(*t.FewShot))
	}
}
