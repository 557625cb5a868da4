package recipes

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter turns the parser's tree into nodes: aliases resolved, keys unique,
// size and depth bounded.
type converter struct {
	src     *source
	anchors map[string]*node
}

func (c *converter) convert(n ast.Node, depth int) (*node, error) {
	if n == nil {
		return &node{place: place{src: c.src, line: 1, col: 1}, size: 1, depth: 1}, nil
	}
	p := at(c.src, n.GetToken())
	if depth > maxDepth {
		return nil, p.fail("", fmt.Sprintf("nested more than %d deep", maxDepth))
	}
	out := &node{place: p, size: 1, depth: 1}
	var err error
	switch v := n.(type) {
	case *ast.AnchorNode:
		if out, err = c.convert(v.Value, depth+1); err != nil {
			return nil, err
		}
		c.anchors[v.Name.GetToken().Value] = out
		return out, nil
	case *ast.AliasNode:
		name := v.Value.GetToken().Value
		if anchored, ok := c.anchors[name]; ok {
			return anchored, nil
		}
		return nil, p.fail("", fmt.Sprintf("alias *%s has no anchor &%s before it", shorten(name), shorten(name)))
	case *ast.MappingNode:
		out.kind = mapNode
		for _, item := range v.Values {
			if err := c.add(out, item, depth); err != nil {
				return nil, err
			}
		}
		if dup := duplicateKey(out); dup != nil {
			return nil, dup.fail("", fmt.Sprintf("key %q appears twice", shorten(dup.text)))
		}
		if len(out.keys) > 0 {
			out.place = out.keys[0].place
		}
	case *ast.MappingValueNode:
		out.kind = mapNode
		if err := c.add(out, v, depth); err != nil {
			return nil, err
		}
		out.place = out.keys[0].place
	case *ast.SequenceNode:
		out.kind = listNode
		for _, item := range v.Values {
			// "- " with nothing behind it takes the next line for its own, however
			// that is indented.
			if q := start(c.src, item); !v.IsFlowStyle && q.col <= p.col {
				return nil, q.fail("indent it further than the dash", "an item of a list at the column of its dash")
			}
			if err := c.item(out, item, depth); err != nil {
				return nil, err
			}
		}
	case *ast.LiteralNode:
		out.text, out.literal = v.Value.Value, true
		out.size += len(out.text) / textPerNode
	case *ast.StringNode:
		out.text, out.literal = v.Value, isQuoted(v.GetToken())
		out.size += len(out.text) / textPerNode
	case *ast.NullNode:
		// an implicit null's token says "null" too
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.text = n.GetToken().Value
	default:
		return nil, p.fail("", fmt.Sprintf("%v is not supported here", n.Type()))
	}
	return out, nil
}

// start is where a value begins: a mapping at its first key, not at its colon.
func start(src *source, n ast.Node) place {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return at(src, v.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return at(src, v.Key.GetToken())
	}
	return at(src, n.GetToken())
}

// textPerNode makes a long string count as many nodes: an alias repeats it.
const textPerNode = 32

func (c *converter) add(out *node, v *ast.MappingValueNode, depth int) error {
	key, err := c.convert(v.Key, depth+1)
	if err != nil {
		return err
	}
	if key.kind != scalarNode {
		return key.fail("", "a key must be a word")
	}
	out.keys = append(out.keys, key)
	return c.item(out, v.Value, depth)
}

// item appends a value and counts what it expands to, without expanding it.
func (c *converter) item(out *node, v ast.Node, depth int) error {
	n, err := c.convert(v, depth+1)
	if err != nil {
		return err
	}
	out.items = append(out.items, n)
	out.size += n.size
	out.depth = max(out.depth, n.depth+1)
	if out.size > maxNodes || out.depth > maxDepth {
		return at(c.src, v.GetToken()).fail("", "aliases expand to too much")
	}
	return nil
}

func duplicateKey(n *node) *node {
	seen := make(map[string]bool, len(n.keys))
	for _, k := range n.keys {
		if seen[k.text] {
			return k
		}
		seen[k.text] = true
	}
	return nil
}

func isQuoted(tk *token.Token) bool {
	return tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType
}
