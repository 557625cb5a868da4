package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"
)

// family is models of one origin with what they are scored on: a file of YAML, whose
// paths are relative to its folder.
type family struct {
	// Name heads the table.
	Name string `yaml:"name"`
	// Base is what the models were tuned from; methods that need one are left out of a
	// family without.
	Base   string   `yaml:"base"`
	Models []member `yaml:"models"`
	// Two are the names of the models that methods of one or two merge, base for the
	// base; of methods of one the second. Without them such methods are left out of
	// families of more.
	Two []string `yaml:"two"`
	// Tasks are searched and chosen on, HeldOut is what the table shows: as in a
	// recipe's search block.
	Tasks   []map[string]any `yaml:"tasks"`
	HeldOut []map[string]any `yaml:"held_out"`

	dir string
}

// member is a model with the examples that its statistics are measured on: those that a
// search would see of its own tasks.
type member struct {
	Name  string           `yaml:"name"`
	Model string           `yaml:"model"`
	Own   []map[string]any `yaml:"own"`
}

// readFamily reads a file, or family.yaml in a folder. limit, if positive, is the most
// examples of each task.
func readFamily(path string, limit int) (*family, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "family.yaml")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &family{}
	if err := yaml.UnmarshalWithOptions(text, f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.dir, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if len(f.Models) < 2 || len(f.Tasks) == 0 || len(f.HeldOut) == 0 {
		return nil, fmt.Errorf("%s: a family has two models or more, tasks, and held_out tasks", path)
	}
	var names []string
	for _, m := range f.Models {
		if m.Name == "" || m.Model == "" || m.Name == baseName || slices.Contains(names, m.Name) {
			return nil, fmt.Errorf("%s: each model has a model and a name of its own, which is not %s", path, baseName)
		}
		names = append(names, m.Name)
	}
	if f.Base != "" {
		names = append(names, baseName)
	}
	for _, name := range f.Two {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%s: two names %s, which is no model of the family", path, name)
		}
	}
	if len(f.Two) != 0 && len(f.Two) != 2 {
		return nil, errors.New("two names two models")
	}
	if limit > 0 {
		lists := [][]map[string]any{f.Tasks, f.HeldOut}
		for _, m := range f.Models {
			lists = append(lists, m.Own)
		}
		for _, t := range slices.Concat(lists...) {
			t["limit"] = limit
		}
	}
	return f, nil
}

// baseName is what the base is called among the models.
const baseName = "base"

// path is where a model of the family lies.
func (f *family) path(name string) string {
	of := f.Base
	for _, m := range f.Models {
		if m.Name == name {
			of = m.Model
		}
	}
	if filepath.IsAbs(of) {
		return of
	}
	return filepath.Join(f.dir, of)
}

// names are those of the models.
func (f *family) names() (out []string) {
	for _, m := range f.Models {
		out = append(out, m.Name)
	}
	return out
}

// listed is a list of tasks as it stands in a recipe: JSON is YAML.
func listed(tasks []map[string]any) string {
	text, err := json.Marshal(tasks)
	if err != nil {
		panic(err) // what YAML gave is plain
	}
	return string(text)
}
