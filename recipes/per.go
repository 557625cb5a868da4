package recipes

// per says for what a hole has a gene of its own: the product of its parts. A
// nil per is one gene where the hole stands.
type per struct {
	model, layer, tensor bool
	block                int // layers a gene; 0: not by blocks
	match                []string
	matchAt              []place
}

var perWords = []string{"model", "layer", "tensor"}

// per decodes model | layer | tensor | {layers: n} | {match: [...]}, or a list
// of these: a gene for each combination.
func (d *decoder) per(n *node) *per {
	if n == nil {
		return nil
	}
	parts := []*node{n}
	if n.kind == listNode {
		parts = n.items
	}
	if len(parts) == 0 {
		d.at(n.place, "per is an empty list")
		return nil
	}
	p := &per{}
	for _, part := range parts {
		d.perPart(p, part)
	}
	if p.tensor && (p.layer || p.block > 0 || p.match != nil) || p.layer && p.block > 0 {
		d.at(n.place, "these parts of per include one another")
	}
	return p
}

func (d *decoder) perPart(p *per, n *node) {
	if n.kind == mapNode {
		f := d.fields(n, "per", []string{"layers", "match"})
		if f == nil {
			return
		}
		if len(f) != 1 {
			d.at(n.place, "per is model, layer, tensor, {layers: n} or {match: [...]}")
			return
		}
		if layers, ok := f["layers"]; ok {
			if p.block != 0 {
				d.at(layers.place, "layers appears twice")
			}
			p.block = d.whole(layers, "layers", 1, 1<<20)
			return
		}
		p.match, p.matchAt = d.words(f["match"], "match")
		return
	}
	var flag *bool
	switch n.text {
	case "model":
		flag = &p.model
	case "layer":
		flag = &p.layer
	case "tensor":
		flag = &p.tensor
	default:
		d.hint(n.place, d.didYouMean(n.text, perWords), "per is model, layer, tensor, {layers: n} or {match: [...]}, not %s", n.describe())
		return
	}
	if *flag {
		d.at(n.place, "%s appears twice", n.text)
	}
	*flag = true
}

// encode writes the parts, a list only where there are several.
func (p *per) encode() *node {
	var parts []*node
	for i, on := range []bool{p.model, p.layer, p.tensor} {
		if on {
			parts = append(parts, word(perWords[i]))
		}
	}
	if p.block > 0 {
		n := &node{flow: true}
		n.put("layers", intNode(p.block))
		parts = append(parts, n)
	}
	if p.match != nil {
		list := flowList()
		for _, m := range p.match {
			list.items = append(list.items, word(m))
		}
		n := &node{flow: true}
		n.put("match", list)
		parts = append(parts, n)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return flowList(parts...)
}
