package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/recipes"
)

// programUse is a program that scoring would run.
type programUse struct {
	Task    string   `json:"task"`
	Command []string `json:"command"`
	Dir     string   `json:"dir"`
	Timeout string   `json:"timeout"`
	// Scratch is where models are written for it, if the recipe names a folder. Outside
	// are the folders of the two that are not in the recipe's.
	Scratch string   `json:"scratch,omitempty"`
	Outside []string `json:"outside,omitempty"`
}

// String is the command as one would type it, and what else there is to know.
func (u programUse) String() string {
	words := make([]string, len(u.Command))
	for i, w := range u.Command {
		words[i] = quote(w)
	}
	text := strings.Join(words, " ")
	for _, dir := range u.Outside {
		text += ", which uses " + dir + ", outside the recipe's folder"
	}
	return text
}

// programsOf lists the programs that a search block names, for a recipe in dir.
func programsOf(s *recipes.Search, dir string) (out []programUse) {
	if s == nil {
		return nil
	}
	for _, list := range [][]recipes.Task{s.Tasks, s.HeldOut} {
		for i := range list {
			t := &list[i]
			for _, p := range []*recipes.Program{t.Program, t.Scorer} {
				if p != nil {
					out = append(out, useOf(t, p, dir))
				}
			}
		}
	}
	return out
}

func useOf(t *recipes.Task, p *recipes.Program, dir string) programUse {
	u := programUse{Task: t.Name, Command: p.Command, Dir: within(dir, p.Dir), Timeout: recipes.FormatDuration(p.Timeout)}
	if t.Kind == lmEval && p == t.Program {
		u.Command = harnessOf(t, dir).Argv("http://127.0.0.1:PORT/SECRET/v1/completions", "SCRATCH/tokenizer", "SCRATCH/output")
	}
	if p.Scratch != "" {
		u.Scratch = within(dir, p.Scratch)
	}
	for _, folder := range []string{u.Dir, u.Scratch} {
		if folder != "" && !inside(dir, folder) {
			u.Outside = append(u.Outside, folder)
		}
	}
	return u
}

// within is a path named in a recipe, absolute.
func within(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// inside reports whether a folder is a recipe's or in it, links followed as far as they
// lead somewhere.
func inside(dir, folder string) bool {
	real := func(path string) string {
		path = within(path, "")
		rest := ""
		for {
			if found, err := filepath.EvalSymlinks(path); err == nil {
				return filepath.Join(found, rest)
			}
			up := filepath.Dir(path)
			if up == path {
				return filepath.Join(path, rest)
			}
			path, rest = up, filepath.Join(filepath.Base(path), rest)
		}
	}
	rel, err := filepath.Rel(real(dir), real(folder))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// mayRun refuses to run the programs of a recipe that nobody allowed, before any work.
func mayRun(s *recipes.Search, dir string, allowed bool) error {
	uses := programsOf(s, dir)
	if len(uses) == 0 || allowed {
		return nil
	}
	var lines []string
	for _, u := range uses {
		lines = append(lines, fmt.Sprintf("  task %s, in %s: %s", u.Task, u.Dir, u))
	}
	return usage(fmt.Errorf("the recipe names programs, which would be run:\n%s\nhint: --allow-commands runs them, if you trust where the recipe is from", strings.Join(lines, "\n")))
}

// addAllow adds the --allow-commands flag.
func addAllow(c *cobra.Command, allow *bool) {
	c.Flags().BoolVar(allow, "allow-commands", false, "run the programs that the recipe names; mergevo check lists them")
}

// tellPrograms lists the programs of a recipe for people.
func tellPrograms(w io.Writer, uses []programUse) {
	head := "runs"
	for _, u := range uses {
		line(w, head, u.Task+": "+u.String(), "at most "+u.Timeout)
		head = ""
	}
}
