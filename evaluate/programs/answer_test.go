package programs

import (
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
)

func TestParseAnswer(t *testing.T) {
	one := func(text string) Score {
		t.Helper()
		a, err := ParseAnswer([]byte(text), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return a[""]
	}
	if s := one(`{"score": 0.5}`); s.Value != 0.5 || s.IDs != nil {
		t.Errorf("%+v", s)
	}
	if s := one("loading\n50 %\n{\"score\": -2}\n\n"); s.Value != -2 {
		t.Errorf("the last line: %+v", s)
	}
	if s := one("{\n \"score\": 3\n}\n"); s.Value != 3 {
		t.Errorf("several lines: %+v", s)
	}
	s := one(`{"score": 0.666667, "examples": [{"id": "a", "score": 1, "answer": "x"}, {"id": 7, "score": 0, "answer": 3}, {"id": "c", "score": 1}]}`)
	if !slices.Equal(s.IDs, []string{"a", "7", "c"}) || !slices.Equal(s.Items, []float64{1, 0, 1}) || !slices.Equal(s.Answers, []string{"x", "3", ""}) || !s.Named {
		t.Errorf("%+v", s)
	}
	if s := one(`{"examples": [1, 0.5, 0]}`); s.Value != 0.5 || !slices.Equal(s.IDs, []string{"0", "1", "2"}) || s.Named {
		t.Errorf("%+v", s)
	}
	a, err := ParseAnswer([]byte(`{"tasks": {"a": {"score": 1}, "b": {"examples": [0, 1]}, "c": {"score": 9}}}`), []string{"b", "a"})
	if err != nil || a["a"].Value != 1 || a["b"].Value != 0.5 || len(a) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestNoAnswers(t *testing.T) {
	for _, c := range []struct {
		text  string
		parts []string
		want  string
	}{
		{" \n", nil, "it answered nothing"},
		{"done\n", nil, "its answer is not JSON: done"},
		{`{"score": NaN}`, nil, "its answer is not JSON"},
		{`{"score": "high"}`, nil, "cannot unmarshal string"},
		{`{"scores": 1}`, nil, `unknown field "scores"`},
		{`[1]`, nil, "its answer is not {"},
		{`{}`, nil, "its answer has no score"},
		{`{"score": null}`, nil, "its answer has no score"},
		{`{"examples": []}`, nil, "its list of examples is empty"},
		{`{"examples": [{"id": "a"}]}`, nil, `example "a" has no score`},
		{`{"examples": [{"id": "a", "score": 1}, {"id": "a", "score": 1}]}`, nil, `two examples have the id "a"`},
		{`{"examples": [{"id": [], "score": 1}]}`, nil, "neither a text nor a number"},
		{`{"score": 0.7, "examples": [1, 0]}`, nil, "its score is 0.7 and the mean of its examples 0.5"},
		{`{"tasks": {"a": {"score": 1}}}`, nil, "it reports tasks, of which the recipe lists none: a"},
		{`{"tasks": {"a": {"score": 1}}}`, []string{"a", "b"}, `it reports no task "b"; it has a`},
		{`{"tasks": {"a": {}}}`, []string{"a"}, "task a: its answer has no score"},
		{`{"error": "no space"}`, nil, "it says: no space"},
		{strings.Repeat("x", 5000), nil, "xxx…"},
	} {
		_, err := ParseAnswer([]byte(c.text), c.parts)
		if !evaluate.IsFailure(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{`{"score": 1}`, `{"examples": [1, {"id": 1, "score": 2}]}`, `{"tasks": {"a": {"score": 1}}}`, "x\n{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := ParseAnswer(text, nil)
		if err == nil && len(a) != 1 || err != nil && !evaluate.IsFailure(err) {
			t.Errorf("%v, %v", a, err)
		}
	})
}

func TestParseScores(t *testing.T) {
	got, err := parseScores([]byte("0.5\n{\"score\": 1}\n\n -2 \n"), 3)
	if err != nil || !slices.Equal(got, []float64{0.5, 1, -2}) {
		t.Errorf("%v, %v", got, err)
	}
	got, err = parseScores([]byte("{\"index\": 1, \"score\": 1}\n{\"index\": 0, \"score\": 0.25}\n"), 2)
	if err != nil || !slices.Equal(got, []float64{0.25, 1}) {
		t.Errorf("by index: %v, %v", got, err)
	}
	for text, want := range map[string]string{
		"1\n": "1 scores for 2 texts", "1\n2\n3\n": "line 3 scores text 2 of 2", "one\ntwo": "line 1 is no score: one",
		"{\"index\": 0, \"score\": 1}\n{\"index\": 0, \"score\": 1}": "line 2 scores text 0 again", "{}\n1": "line 1 has no score", "1\nNaN": "line 2 is no score", "null\n1": "line 1 has no score",
	} {
		if _, err := parseScores([]byte(text), 2); !evaluate.IsFailure(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
