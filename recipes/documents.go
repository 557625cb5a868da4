package recipes

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Parse reads a recipe. The name is used in messages. Every problem is an
// [*Error]; several are joined, in the order of their places.
func Parse(name string, data []byte) (*Recipe, error) {
	root, err := parseOne(name, data)
	if err != nil {
		return nil, err
	}
	return decodeRecipe(name, root)
}

func parseOne(name string, data []byte) (*node, error) {
	roots, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	if len(roots) > 1 {
		return nil, roots[1].fail("here, a file of one document is wanted: write each to a file of its own",
			"several documents in one file")
	}
	return roots[0], nil
}

// ReadFile reads a recipe of at most 16 MiB.
func ReadFile(path string) (*Recipe, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// ReadDocuments reads a file of one or more recipes. All but the last that is
// returned have a name, by which the others may call the model that they make;
// a recipe comes after those whose models it reads.
func ReadDocuments(path string) ([]*Recipe, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return ParseDocuments(path, data)
}

// ParseDocuments is ReadDocuments on text.
func ParseDocuments(name string, data []byte) ([]*Recipe, error) {
	roots, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	if len(roots) == 1 {
		r, err := decodeRecipe(name, roots[0])
		if err != nil {
			return nil, err
		}
		return []*Recipe{r}, nil
	}
	var all []*Recipe
	d := &decoder{}
	byName := map[string]int{}
	unnamed := -1
	for i, root := range roots {
		r, err := decodeRecipe(name, root)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
		switch at, twice := byName[r.document]; {
		case r.document == "" && unnamed >= 0:
			d.hint(root.place, "give all but one a name: ...", "two documents without a name: only one can be the result")
		case r.document == "":
			unnamed = i
		case twice:
			d.at(root.place, "the name %s is another document's too (line %d)", shorten(r.document), roots[at].line)
		default:
			byName[r.document] = i
		}
	}
	if unnamed < 0 {
		d.hint(roots[len(roots)-1].place, "remove the name of the document that is the result", "every document has a name")
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	order := &ordering{all: all, byName: byName, state: make([]int, len(all)), d: d}
	order.visit(unnamed)
	for i, r := range all {
		if order.state[i] == 0 {
			d.hint(r.root.place, "name it in the document without a name, or remove it", "%s is read by no other document", shorten(r.document))
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return order.sorted, nil
}

// ordering sorts documents so that each comes after those it reads.
type ordering struct {
	all    []*Recipe
	byName map[string]int
	state  []int // 0 not seen, 1 being visited, 2 done
	sorted []*Recipe
	d      *decoder
}

func (o *ordering) visit(i int) {
	o.state[i] = 1
	for _, ref := range o.all[i].Models() {
		j, ok := o.byName[ref]
		if i := strings.LastIndexByte(ref, '+'); !ok && i >= 0 { // with an adapter
			j, ok = o.byName[ref[:i]]
		}
		switch {
		case !ok || o.state[j] == 2:
		case o.state[j] == 1:
			o.d.at(o.all[i].root.place, "the document %s is made of itself", shorten(ref))
		default:
			o.visit(j)
		}
	}
	o.state[i] = 2
	o.sorted = append(o.sorted, o.all[i])
}

// readBounded reads a file of at most maxBytes, and one byte more of a larger one,
// so that the parser can say it is too large.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(f, maxBytes+1)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return slices.Clip(data.Bytes()), nil
}
