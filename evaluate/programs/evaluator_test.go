package programs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
)

// Candidates of these tests are merges with one weight, which is written as the model.
func parents(t *testing.T) *merge.Parents {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "parent")
	w, err := tensors.Create(dir, []tensors.Info{{Name: "w", DType: tensors.F32, Shape: []int{2}}}, tensors.Options{})
	if err == nil {
		err = errors.Join(w.WriteAt([]float32{1, 2}, "w", 0), w.Commit(), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p, err := merge.NewParents([]string{"a"}, []tensors.Source{c}, nil, merge.MissingRefuse, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func weighing(weight float64) *merge.Spec {
	linear, _ := merge.Lookup("linear")
	v := linear.NewValues()
	v.Set("weight", weight)
	return &merge.Spec{Method: linear, Parts: []merge.Part{{Base: -1, Inputs: []int{0}}},
		Params: func(string) (merge.Values, []merge.Values) { return linear.NewValues(), []merge.Values{v} }}
}

// write writes a candidate: its weight, in a file.
func write(_ context.Context, s *merge.Spec, dir string) error {
	_, source := s.Params("w")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if x := source[0].Get("weight"); x < 0 {
		return evaluate.Failed("a weight of %g cannot be merged", x)
	} else {
		return os.WriteFile(filepath.Join(dir, "weight"), fmt.Append(nil, x), 0o600)
	}
}

// scoreCheckpoint scores the examples of a part by the weight that it finds: 8 of the
// search, 4 of validation and of test, right where they are below it.
func scoreCheckpoint(dir, part string) {
	text, err := os.ReadFile(filepath.Join(dir, "weight"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	weight, _ := strconv.ParseFloat(string(text), 64)
	_ = os.WriteFile(filepath.Join(dir, "..", "litter"), nil, 0o600)
	switch weight {
	case 66:
		os.Exit(2)
	case 67:
		fmt.Println("what?")
		return
	}
	n := map[string]int{"search": 8, "validation": 4, "test": 4}[part]
	if weight == 68 {
		n--
	}
	var list []map[string]any
	for i := range n {
		score := 0
		if float64(i) < weight {
			score = 1
		}
		list = append(list, map[string]any{"id": fmt.Sprint(part, i), "score": score})
	}
	if weight > 3 { // in another order
		slices.Reverse(list)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"examples": list})
}

// judge scores texts by their lengths.
func judge() {
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		var w evaluate.Written
		if json.Unmarshal(s.Bytes(), &w) != nil || w.Extracted == "die" {
			os.Exit(1)
		}
		fmt.Println(len(w.Output))
	}
}

type memory map[string][]byte

func (m memory) Note(key string, v any) (bool, error) {
	data, ok := m[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(data, v)
}

func (m memory) SetNote(key string, v any) (err error) {
	m[key], err = json.Marshal(v)
	return err
}

func panelOf(t *testing.T, told bool, journal Journal) (*Panel, *Scratch) {
	t.Helper()
	s, err := NewScratch(filepath.Join(t.TempDir(), "scratch"), write)
	if err != nil {
		t.Fatal(err)
	}
	c := self(t, "score", "{model}", "{part}")
	o := &OnCheckpoint{Dir: c.Dir, Timeout: c.Timeout, Scratch: s, Task: "t", ID: "identity", Argv: func(v map[string]string) []string {
		argv := slices.Clone(c.Argv)
		argv[3], argv[4] = v["model"], v["part"]
		return argv
	}}
	p := &Panel{Parents: parents(t), Journal: journal, After: s.Empty,
		Tasks: []*Task{{Name: "t", Metric: evaluate.Score, Told: told, Split: evaluate.Split{Search: 0.5, Validation: 0.25, Test: 0.25}, Asker: o}}}
	return p, s
}

var prefixes = [3]string{"search/", "validation/", "held out/"}

func evaluateOne(t *testing.T, e *Evaluator, weight float64, number uint64) evaluate.Result {
	t.Helper()
	r, err := e.Evaluate(t.Context(), []evaluate.Model{{Spec: weighing(weight), Number: number}})
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// A program that is told the part is run for each; one that is not is run once, and its
// examples are shared out. What a search sees is the beginning of what the report does.
func TestParts(t *testing.T) {
	for _, told := range []bool{true, false} {
		p, scratch := panelOf(t, told, nil)
		report, search := p.ForReport(nil, [3]int{}, prefixes), p.ForSearch(nil)
		if len(report.Layout()) != 0 {
			t.Error("examples are known before any program was run")
		}
		r := evaluateOne(t, report, 2, 0)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if want := map[bool]int{true: 3, false: 1}[told]; p.Runs != want {
			t.Errorf("told %t: %d runs, want %d", told, p.Runs, want)
		}
		layout := report.Layout()
		total := 0
		for _, l := range layout {
			var sum float64
			for _, x := range r.Items[l.Offset : l.Offset+l.Count] {
				sum += float64(x)
			}
			if got := r.Tasks[l.Task]; got != sum/float64(l.Count) {
				t.Errorf("%s scores %g, its items %g", l.Task, got, sum/float64(l.Count))
			}
			total += l.Count
		}
		if keys := report.Keys(); len(keys) != total || len(r.Items) != total || len(r.Predicted) != total {
			t.Errorf("%d examples, %d keys, %d items, %d answers", total, len(keys), len(r.Items), len(r.Predicted))
		}
		s := evaluateOne(t, search, 2, 1)
		if n := search.Layout()[0].Count; !slices.Equal(s.Items, r.Items[:n]) || search.Layout()[0].Task != "t" {
			t.Errorf("told %t: the search sees %v, the report %v", told, s.Items, r.Items)
		}
		if told && (r.Tasks["search/t"] != 0.25 || r.Tasks["validation/t"] != 0.5 || r.Tasks["held out/t"] != 0.5) {
			t.Errorf("%v", r.Tasks)
		}
		// Another order of the same examples is the same layout.
		if s := evaluateOne(t, search, 4, 2); s.Items[0] != 1 || s.Tasks["t"] <= r.Tasks["search/t"] {
			t.Errorf("%v", s)
		}
		if left, err := os.ReadDir(scratch.dir); err != nil || len(left) != 0 {
			t.Errorf("in the scratch folder: %v, %v", left, err)
		}
	}
}

// What programs do wrong is their candidate's failure, and the others have their scores.
func TestCandidatesFail(t *testing.T) {
	p, _ := panelOf(t, true, nil)
	search := p.ForSearch(nil)
	evaluateOne(t, search, 1, 1)
	r, err := search.Evaluate(t.Context(), []evaluate.Model{{Spec: weighing(66), Number: 2}, {Spec: weighing(67), Number: 3}, {Spec: weighing(68), Number: 4}, {Spec: weighing(-1), Number: 5}, {Spec: weighing(2), Number: 6}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"task t: ", "its answer is not JSON: what?", "reports 7 examples, of the first model it reported 8", "a weight of -1 cannot be merged"} {
		if r[i].Err == nil || !strings.Contains(r[i].Err.Error(), want) {
			t.Errorf("candidate %d: %v, want %s", i, r[i].Err, want)
		}
	}
	if r[4].Err != nil || r[4].Tasks["t"] != 0.25 {
		t.Errorf("the one that is right: %+v", r[4])
	}
	p.Tasks[0].Asker.(*OnCheckpoint).Argv = func(map[string]string) []string { return []string{"no-such-program-anywhere"} }
	if _, err := search.Evaluate(t.Context(), []evaluate.Model{{Spec: weighing(3), Number: 7}}); err == nil {
		t.Error("a program that is gone is no error")
	}
}

// A journal answers for programs: results are equal, and nothing is run again.
func TestJournal(t *testing.T) {
	journal := memory{}
	p, _ := panelOf(t, false, journal)
	var want []evaluate.Result
	weights := []float64{2, 4, 66, 3}
	for i, w := range weights {
		want = append(want, evaluateOne(t, p.ForReport(nil, [3]int{}, prefixes), w, uint64(i)))
	}
	again, _ := panelOf(t, false, maps.Clone(journal))
	e := again.ForReport(nil, [3]int{}, prefixes)
	for i, w := range weights {
		got := evaluateOne(t, e, w, uint64(i))
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("weight %g: %v, was %v", w, got, want[i])
		}
	}
	if again.Runs != 0 {
		t.Errorf("%d programs were run again", again.Runs)
	}
	again.Tasks[0].Asker.(*OnCheckpoint).ID = "another program"
	if evaluateOne(t, e, 2, 0); again.Runs != 1 {
		t.Errorf("another program: %d runs", again.Runs)
	}
	// Failures of what is no candidate are not kept: their reason may be gone.
	if evaluateOne(t, e, 66, 0); again.Runs != 2 {
		t.Errorf("%d runs", again.Runs)
	}
	if evaluateOne(t, e, 66, 0); again.Runs != 3 {
		t.Errorf("%d runs", again.Runs)
	}
}

// An example that is held out and not is refused, whichever tasks it is in.
func TestOverlap(t *testing.T) {
	p, _ := panelOf(t, false, nil)
	held := *p.Tasks[0]
	same := *p.Tasks[0].Asker.(*OnCheckpoint)
	same.Argv = func(v map[string]string) []string {
		v["part"] = "search" // a program that minds no part
		return p.Tasks[0].Asker.(*OnCheckpoint).Argv(v)
	}
	held.Name, held.HeldOut, held.places, held.Asker = "h", true, nil, &same
	p.Tasks = append(p.Tasks, &held)
	_, err := p.ForReport(nil, [3]int{}, prefixes).Evaluate(t.Context(), []evaluate.Model{{Spec: weighing(1)}})
	if err == nil || evaluate.IsFailure(err) || !strings.Contains(err.Error(), "an example of held-out task h is also in task t") {
		t.Error(err)
	}
}

func TestScorer(t *testing.T) {
	c := self(t, "judge")
	journal := memory{}
	s := &Scorer{Command: c, Argv: func(map[string]string) []string { return c.Argv }, Journal: journal, ID: "j"}
	got, err := s.Score(t.Context(), []evaluate.Written{{Output: "four"}, {Index: 1, Output: "<two>"}})
	if err != nil || !slices.Equal(got, []float64{4, 5}) {
		t.Errorf("%v, %v", got, err)
	}
	s.Command.Timeout = time.Nanosecond // it is not run again
	if again, err := s.Score(t.Context(), []evaluate.Written{{Output: "four"}, {Index: 1, Output: "<two>"}}); err != nil || !slices.Equal(got, again) {
		t.Errorf("from the journal: %v, %v", again, err)
	}
	s.Command.Timeout = time.Minute
	if _, err := s.Score(t.Context(), []evaluate.Written{{Extracted: "die"}}); !evaluate.IsFailure(err) {
		t.Errorf("a scorer that dies: %v", err)
	}
}
