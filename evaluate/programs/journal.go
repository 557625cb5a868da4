package programs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/mergevo/mergevo/evaluate"
)

// Journal keeps answers: what it has is not asked again.
type Journal interface {
	// Note reads the note into v; false when there is none. SetNote stores it.
	Note(key string, v any) (bool, error)
	SetNote(key string, v any) error
}

// note is an answer in a journal, or why there is none.
type note struct {
	Scores map[string]keptScore `json:"scores,omitempty"`
	Failed string               `json:"failed,omitempty"`
}

// keptScore is a score in a journal. All but the first leave out the examples' IDs.
type keptScore struct {
	Value   float64   `json:"value"`
	Items   []float64 `json:"items,omitempty"`
	Answers []string  `json:"answers,omitempty"` // hashes
	IDs     []string  `json:"ids,omitempty"`
	Keys    []string  `json:"keys,omitempty"`
	Named   bool      `json:"named,omitempty"`
	Metric  string    `json:"metric,omitempty"`
}

// kept is an answer, laid out, as a journal keeps it.
func (t *Task) kept(told evaluate.Part, a Answer, failed error) note {
	if failed != nil {
		return note{Failed: failed.Error()}
	}
	n := note{Scores: map[string]keptScore{}}
	for part, s := range a {
		k := keptScore{Value: s.Value, Items: s.Items, Metric: s.Metric}
		if p := t.places[score{part, told}]; !p.written {
			k.IDs, k.Keys, k.Named = s.IDs, s.Keys, s.Named
			p.written = true
		}
		if slices.ContainsFunc(s.Answers, func(text string) bool { return text != "" }) {
			for _, text := range s.Answers {
				k.Answers = append(k.Answers, shortly(text))
			}
		}
		n.Scores[part] = k
	}
	return n
}

// shortly is a text by which it can be told from others.
func shortly(text string) string {
	if len(text) <= 2*8 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// known is what the journal has; nil where a program has to be asked.
func (p *Panel) known(key string, t *Task, told evaluate.Part) (Answer, error) {
	var n note
	if p.Journal == nil {
		return nil, nil
	}
	ok, err := p.Journal.Note(key, &n)
	switch {
	case err != nil || !ok:
		return nil, err
	case n.Failed != "":
		return nil, evaluate.Failed("%s", n.Failed)
	}
	a := Answer{}
	for part, k := range n.Scores {
		s := Score{Value: k.Value, Items: k.Items, Answers: k.Answers, IDs: k.IDs, Keys: k.Keys, Named: k.Named, Metric: k.Metric}
		if s.Items != nil && s.Answers == nil {
			s.Answers = make([]string, len(s.Items))
		}
		at := t.places[score{part, told}]
		if s.Items != nil && s.IDs == nil {
			if at == nil {
				return nil, nil // of a journal whose first answer is lost
			}
			s.IDs = at.ids
		}
		a[part] = s
	}
	if err := t.fix(told, a); err != nil {
		return nil, err
	}
	for part := range n.Scores {
		t.places[score{part, told}].written = true
	}
	return a, t.read(told, a)
}
