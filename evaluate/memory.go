package evaluate

import (
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// Memory is what a search takes, an estimate in bytes, line by line.
type Memory []MemoryLine

// MemoryLine is one thing that takes room.
type MemoryLine struct {
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`
	// Where it lies: device, host or disk.
	Where merge.Placement `json:"where"`
	// During says when it is there, merging or scoring, which are not at once; "" is
	// always.
	During string `json:"during,omitempty"`
}

// The times at which something takes room.
const (
	Merging = "merging"
	Scoring = "scoring"
)

// At is the most that lies at a place at once.
func (m Memory) At(place merge.Placement) int64 {
	by := map[string]int64{}
	for _, l := range m {
		if l.Where == place {
			by[l.During] += l.Bytes
		}
	}
	return by[""] + max(by[Merging], by[Scoring])
}

// Beside returns what two evaluators of the same parents take, which score in turns.
// Both have the same lines.
func (m Memory) Beside(o Memory) Memory {
	out := make(Memory, len(m))
	for i, l := range m {
		if l.Bytes = max(l.Bytes, o[i].Bytes); l.What == examplesLine {
			l.Bytes = m[i].Bytes + o[i].Bytes
		}
		out[i] = l
	}
	return out
}

const examplesLine = "examples"

// Memory estimates what scoring merges on the datasets takes with the parents at a
// place.
func (p Plan) Memory(m *models.Model, sets []*Dataset, at merge.Placement, f merge.Footprint) Memory {
	var s scoring
	var examples int64
	for _, d := range sets {
		examples += d.Bytes()
	}
	switch {
	case m.Text != nil:
		s = p.texts(m.Text, sets, f)
	case m.Image != nil:
		s = scoring{merged: f.Merged, activations: int64(p.Rows*m.Image.Places) * int64(placeBytes(m.Image)), cut: true}
		if s.merged < f.Wide {
			s.widened = f.Largest
		}
	default:
		s = scoring{merged: int64(p.Slice) * f.Wide, activations: int64(p.Rows) * int64(p.rowBytes(m)), cut: p.apart(m, at)}
	}
	held := at // what the method prepared is kept in memory, as parents are or on their way
	if held == merge.OnDisk {
		held = merge.InHost
	}
	values, operands := int64(0), int64(0)
	if s.cut {
		values = int64(max(1, p.Slice)) * f.Values
	}
	if at != merge.OnDevice {
		operands = f.Operands
	}
	return Memory{
		{What: "parents", Bytes: f.Parents, Where: at},
		{What: "prepared by the method", Bytes: f.Prepared, Where: held},
		{What: examplesLine, Bytes: examples},
		{What: "merged weights", Bytes: s.merged},
		{What: "parents on their way", Bytes: operands, During: Merging},
		{What: "values in between", Bytes: values, During: Merging},
		{What: "weights as float32", Bytes: s.widened, During: Scoring},
		{What: "activations", Bytes: s.activations, During: Scoring},
		{What: "attention", Bytes: s.attention, During: Scoring},
		{What: "logits", Bytes: s.logits, During: Scoring},
		{What: "KV cache", Bytes: s.cache, During: Scoring},
		{What: "vectors between layers", Bytes: s.vectors},
	}
}

// scoring is what a device call of the forward pass takes at most, with the weights.
type scoring struct {
	merged, widened, activations, attention, logits, cache, vectors int64
	// cut says that weights are made group by group.
	cut bool
}

// texts reckons the largest calls of texts.
func (p Plan) texts(m *models.Text, sets []*Dataset, f merge.Footprint) scoring {
	s := scoring{merged: f.Merged, cut: true}
	switch {
	case p.Layerwise:
		s.merged = f.OneLayer
	case p.wide(sets):
		s.merged = f.Wide
	}
	if f.Merged < f.Wide && !p.wide(sets) {
		s.widened = f.Largest
	}
	reckon := func(like *Dataset, sequences []Sequence) {
		all := make([]int, len(sequences))
		for i := range all {
			all[i] = i
		}
		for _, b := range batches(sequences, all, max(1, p.Tokens), m.Longest()) {
			s.call(m, like, int64(b.rows), int64(b.length))
			if p.Layerwise {
				s.vectors += vectorBytes(m, b.rows, b.length)
			}
		}
	}
	together := map[mode][]Sequence{} // tasks of a mode share calls
	first := map[mode]*Dataset{}
	for _, d := range sets {
		k := d.mode()
		if k == written {
			reckon(d, d.Sequences)
			continue
		}
		if first[k] == nil {
			first[k] = d
		}
		together[k] = append(together[k], d.Sequences...)
	}
	for k, all := range together {
		reckon(first[k], all)
	}
	s.vectors = min(s.vectors, vectorBudget)
	return s
}

// call counts a call of some rows of a length, of tasks like d.
func (s *scoring) call(m *models.Text, d *Dataset, rows, length int64) {
	s.activations = max(s.activations, 4*rows*length*int64(m.Wide))
	// Scores and their softmax, as float32.
	s.attention = max(s.attention, 8*rows*int64(m.Heads)*length*length)
	scored := int64(0) // places that have logits
	switch d.mode() {
	case tokens:
		scored = rows * length
	case written:
		scored = rows
		size := length + int64(d.Writing.MaxTokens)
		if m.Positions > 0 {
			size = min(size, int64(m.Positions))
		}
		// Keys and values as float32, before a step and after it.
		s.cache = max(s.cache, 2*2*4*rows*size*int64(m.Decode.Layers*m.Decode.KeyHeads*m.Decode.HeadDim))
	}
	s.logits = max(s.logits, 8*scored*int64(m.Vocabulary))
}

// wide reports whether merged weights are kept as float32.
func (p Plan) wide(sets []*Dataset) bool { return !p.Narrow && Writes(sets) }

// Writes reports whether any task writes tokens one by one.
func Writes(sets []*Dataset) bool {
	for _, d := range sets {
		if d.mode() == written {
			return true
		}
	}
	return false
}
