package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/merge"
)

// entrant is a method and what it merges.
type entrant struct {
	title  string
	method *merge.Method
	base   string // a model's name, "" without
	models []string
	// progressive: the statistics are measured along with the merge.
	progressive bool
	// made, if not empty, is how the searched column comes about in the place of CMA-ES.
	made string
}

// String is what is merged.
func (e entrant) String() string {
	s := strings.Join(e.models, ", ")
	if e.base != "" {
		s += " on " + e.base
	}
	return s
}

// The entrants that are no row of the methods' table.
const (
	progressiveTitle = "regmean++"
	refineTitle      = "refine"
)

// usual are the entrants where no flag names others.
var usual = []string{"linear", "task_arithmetic", "ties", "dare_ties", "breadcrumbs", "slerp", "fisher", "regmean", progressiveTitle,
	"tsv_m", "iso_c", "iso_cts", "wudi", "niche", refineTitle}

// everything is all methods, and what is no method.
func everything() (out []string) {
	for _, m := range merge.Methods() {
		out = append(out, m.Name)
	}
	return append(out, progressiveTitle, refineTitle)
}

// entrants are what a family makes of a name: a method with a base if it must have one,
// without if it reads none, and both where it may have one. None are for what the family
// lacks, a base or two models; why says so.
func (f *family) entrants(name string) (list []entrant, why string, err error) {
	e := entrant{title: name}
	switch name {
	case progressiveTitle:
		e.progressive, name = true, "regmean"
	case refineTitle:
		e.made, name = refineTitle, "task_arithmetic"
	case "niche":
		e.made = "niche"
	}
	m, ok := merge.Lookup(name)
	if !ok {
		return nil, "", fmt.Errorf("--methods: no %q; mergevo methods lists them, and there are %s and %s", name, progressiveTitle, refineTitle)
	}
	e.method = m
	for _, base := range bases(m) {
		e.base, e.models = "", f.taken(m, base)
		switch {
		case e.models == nil:
			why = "merges fewer models"
			continue
		case base && f.Base != "":
			e.base = baseName
		case base && m.MaxSources == 1 && len(f.Models) == 2: // from one to the other
			e.base = f.names()[0]
		case base:
			why = "needs a base"
			continue
		}
		list = append(list, e)
	}
	if list != nil {
		why = ""
	}
	return list, why, nil
}

// bases says with which bases a method is tried.
func bases(m *merge.Method) []bool {
	switch m.Base {
	case merge.BaseRequired:
		return []bool{true}
	case merge.BaseOptional:
		return []bool{false, true}
	}
	return []bool{false}
}

// taken are the models that a method merges: all where it takes as many, else those that
// the family names; nil where it names none.
func (f *family) taken(m *merge.Method, base bool) []string {
	all := f.names()
	two := f.Two
	if len(two) == 0 && len(all) == 2 {
		two = all
	}
	switch {
	case m.MaxSources == 0 || m.MaxSources >= len(all):
		return all
	case two == nil:
		return nil
	case m.MaxSources == 1:
		return two[1:]
	}
	if i := slices.Index(two, baseName); base && i >= 0 { // it is no second one
		return []string{all[0], two[1-i]}
	}
	return two
}
