package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// own is a file of the tasks that a model's statistics are measured on: a recipe with a
// search block, whose default split sets the same examples apart for the choice as that
// of the searches.
func (b *bench) own(m member) (string, error) {
	if len(m.Own) == 0 {
		return "", fmt.Errorf("the family names no own tasks of %s, which its statistics are measured on", m.Name)
	}
	file := filepath.Join(b.work, m.Name+"-own.yaml")
	text := fmt.Sprintf("merge_method: linear\nmodels: [{model: %s}]\nparameters: {weight: 1}\nsearch:\n  tasks: %s\n", b.family.path(m.Name), listed(m.Own))
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// describe measures what a method reads of the models' data, unless that is done.
func (b *bench) describe(ctx context.Context, e entrant, name string) error {
	s := e.method.Statistic
	if s == nil {
		return nil
	}
	recipe, err := b.put(name+".yaml", b.plain(e))
	if err != nil {
		return err
	}
	along := []string{s.Name, recipe, "--progressive", "--backend", b.backend}
	done := true
	for _, m := range b.family.Models {
		tasks, err := b.own(m)
		if err != nil {
			return err
		}
		to := b.statistic(e, m.Name)
		along = append(along, "--tasks", tasks)
		if _, err := os.Stat(to); err == nil {
			continue
		}
		done = false
		if e.progressive {
			continue
		}
		if _, err := b.command(ctx, s.Name, b.family.path(m.Name), "--tasks", tasks, "--out", to, "--backend", b.backend); err != nil {
			return err
		}
	}
	if !e.progressive || done {
		return nil
	}
	_, err = b.command(ctx, along...)
	return err
}
