package merge

// Footprint is what merges of some parents take, in bytes.
type Footprint struct {
	// Parents are all merged tensors of all parents as stored.
	Parents int64
	// Prepared is what the method makes of them once, such as ranks.
	Prepared int64
	// Merged are a candidate's tensors in the type that they are written in, Wide as
	// float32.
	Merged, Wide int64
	// Operands are the parents' tensors that one device call of a [Merger] takes,
	// Values the float32 numbers in between.
	Operands, Values int64
	// Largest is the largest tensor as float32.
	Largest int64
	// OneLayer is Merged of a candidate that is held a layer at a time; 0 unless who asks
	// knows layers.
	OneLayer int64
}

// Footprint reckons what merges like s of the parents take, of the tensors of some
// names.
func (s *Spec) Footprint(p *Parents, names []string) Footprint {
	f := Footprint{Parents: p.Bytes()}
	asked := make(map[string]bool, len(names))
	for _, name := range names {
		asked[name] = true
	}
	var each int64 // the most operands an element has, in bytes
	for _, t := range p.merged {
		n := int64(t.Len())
		f.Prepared += n * s.prepared(p, t)
		if !asked[t.Name] {
			continue
		}
		f.Merged += n * int64(s.output(t.DType).Size())
		f.Wide += 4 * n
		f.Largest = max(f.Largest, 4*n)
		var stored int64
		for _, i := range s.inputs(p, t.Name) {
			if info, ok := p.of(i, t.Name).Lookup(t.Name); ok {
				stored += int64(info.DType.Size())
			}
		}
		each = max(each, stored)
	}
	f.Values = min(f.Wide, max(f.Largest, int64(groupBytes)))
	f.Operands = f.Values / 4 * each
	return f
}
