package recipes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/recipes"
)

func TestReadTasks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tasks.yaml")
	read := func(text string) (*recipes.Search, bool, error) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return recipes.ReadTasks(file)
	}
	s, ok, err := read("tasks:\n  - {name: a, kind: choice, data: a.jsonl}\n")
	if err != nil || !ok || len(s.Tasks) != 1 || s.Tasks[0].Split != (recipes.Split{}) || s.Tasks[0].Prompt != "prompt" || s.Tasks[0].Metric != "acc" {
		t.Errorf("%+v, %t, %v", s, ok, err)
	}
	if _, ok, err := read("merge_method: linear\n"); ok || err != nil {
		t.Errorf("a recipe: %t, %v", ok, err)
	}
	for text, want := range map[string]string{
		"tasks: []\n":                                                "tasks is an empty list",
		"tasks:\n  - {name: a, kind: sts}\n":                         "the task has no data",
		"tasks: [{name: a, kind: sts, data: x}]\nmodels: 3":          `unknown key "models"`,
		"tasks: [{name: a, kind: sts, data: x, split: {search: 1}}]": "split is only for the tasks of a search",
	} {
		if _, _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
