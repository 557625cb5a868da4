package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/merge"
)

// own are the digits that each fine-tune was made for, of those that the searches see:
// what its statistics are measured on.
var own = map[string]string{
	"low":   "labels: [0, 1, 2, 3, 4]",
	"high":  "labels: [5, 6, 7, 8, 9]",
	"rot90": "rotate: 90",
}

// ownExamples bounds the examples of a measurement.
const ownExamples = 256

// tasksOf is a recipe with a search block, whose default split sets the same images apart
// for the choice as that of the searches.
func (b *bench) tasksOf(name string) string {
	return fmt.Sprintf("merge_method: linear\nmodels: [{model: %s}]\nparameters: {weight: 1}\nsearch:\n  tasks:\n    - {name: own, kind: classification, data: %s, %s, limit: %d}\n",
		name, filepath.Join(b.data, "val.safetensors"), own[name], ownExamples)
}

// statistic is the file of a kind for a model.
func (b *bench) statistic(s *merge.Statistic, family, name string) string {
	return filepath.Join(b.work, family+"-"+name+"."+s.Name+".safetensors")
}

// describe measures what a method reads of the models' data.
func (b *bench) describe(ctx context.Context, e entrant, family string) error {
	s := e.method.Statistic
	if s == nil {
		return nil
	}
	for _, name := range e.models {
		to := b.statistic(s, family, name)
		if _, err := os.Stat(to); err == nil {
			continue
		}
		tasks := filepath.Join(b.work, name+"-own.yaml")
		if err := os.WriteFile(tasks, []byte(b.tasksOf(name)), 0o644); err != nil {
			return err
		}
		if _, err := b.command(ctx, s.Name, b.model(family, name), "--tasks", tasks, "--out", to, "--backend", b.backend); err != nil {
			return err
		}
	}
	return nil
}
