// Package recipes reads and writes recipes. A recipe is a file that says
// exactly one merge; with holes, a family of them.
//
// The format is a superset of mergekit's YAML: wherever a recipe holds a
// number, it may hold a hole, {search: [lo, hi]}, and where it holds a name or
// a boolean, {choose: [a, b]}. [Parse] checks everything that can be known from
// the file alone, against the rows of [merge.Methods], and reports each problem
// with its line. [Recipe.Bind] adds the tensors, and gives a [Family]: a box of
// genes, and for each point of the box a merge. [Family.Fill] is the way back:
// the recipe without holes that says the same merge, number for number.
package recipes
