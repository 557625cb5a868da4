package main

import (
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/recipes"
)

// costs say what the methods of a recipe do that takes long, a note each.
func costs(r *recipes.Recipe) (notes []string) {
	for _, m := range used(r) {
		if m.Cost != "" {
			notes = append(notes, m.Name+" costs "+m.Cost)
		}
	}
	return notes
}

// used are the rows of a recipe's methods.
func used(r *recipes.Recipe) (list []*merge.Method) {
	for _, name := range r.MethodNames() {
		if m, ok := merge.Lookup(name); ok {
			list = append(list, m)
		}
	}
	return list
}
