package encode

import (
	"encoding/json"
	"fmt"

	"github.com/mergevo/mergevo/tokenizers"
)

// template says which special tokens stand around one text and around two.
type template struct{ single, double []slot }

// slot is a special token's ids, or one of the texts.
type slot struct {
	text    int // 1 for the first, 2 for the second, 0 for ids
	ids     []int
	segment int
}

func (t template) around(ids []int) []int {
	out, _ := fill(t.single, ids, nil)
	return out
}

func (t template) pair(a, b []int) (ids, segments []int) { return fill(t.double, a, b) }

// extra is the number of special tokens around one text.
func (t template) extra() int { return len(t.around(nil)) }

func fill(slots []slot, a, b []int) (ids, segments []int) {
	if slots == nil {
		slots = []slot{{text: 1}, {text: 2}}
	}
	for _, s := range slots {
		part := [][]int{s.ids, a, b}[s.text]
		ids = append(ids, part...)
		for range part {
			segments = append(segments, s.segment)
		}
	}
	return ids, segments
}

// postKeys are the keys of all post-processors.
type postKeys struct {
	Processors    []json.RawMessage `json:"processors"`
	Single        []map[string]part `json:"single"`
	Pair          []map[string]part `json:"pair"`
	SpecialTokens map[string]struct {
		IDs []int `json:"ids"`
	} `json:"special_tokens"`
	Sep special `json:"sep"`
	Cls special `json:"cls"`
}

// part is one of a template's parts, by its kind.
type part struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

// special is a token and its id: ["[SEP]", 102].
type special struct{ id int }

// UnmarshalJSON reads the id behind the token.
func (s *special) UnmarshalJSON(data []byte) error {
	var pair [2]any
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	id, ok := pair[1].(float64)
	if !ok {
		return fmt.Errorf("%s is not a token and its id", data)
	}
	s.id = int(id)
	return nil
}

func parsePost(raw json.RawMessage, v *tokenizers.Tokenizer) (template, error) {
	kind, err := kindOf(raw)
	if kind == "" || kind == "ByteLevel" || err != nil {
		return template{}, err
	}
	var k postKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		return template{}, err
	}
	cls, sep := slot{ids: []int{k.Cls.id}}, slot{ids: []int{k.Sep.id}}
	first, second := slot{text: 1}, slot{text: 2}
	switch kind {
	case "Sequence":
		var last template
		for _, one := range k.Processors {
			t, err := parsePost(one, v)
			if err != nil {
				return template{}, err
			}
			if t.single != nil || t.double != nil {
				if last.single != nil {
					return template{}, fmt.Errorf("a Sequence with two templates is not supported")
				}
				last = t
			}
		}
		return last, nil
	case "BertProcessing":
		second.segment = 1
		last := sep
		last.segment = 1
		return template{[]slot{cls, first, sep}, []slot{cls, first, sep, second, last}}, nil
	case "RobertaProcessing":
		return template{[]slot{cls, first, sep}, []slot{cls, first, sep, sep, second, sep}}, nil
	case "TemplateProcessing":
		var t template
		if t.single, err = slots(k, k.Single); err == nil {
			t.double, err = slots(k, k.Pair)
		}
		return t, err
	}
	return template{}, unknown(kind)
}

func slots(k postKeys, parts []map[string]part) ([]slot, error) {
	out := []slot{}
	for _, p := range parts {
		if s, ok := p["Sequence"]; ok {
			at := map[string]int{"A": 1, "B": 2}[s.ID]
			if at == 0 {
				return nil, fmt.Errorf("the template names sequence %q; known: A, B", s.ID)
			}
			out = append(out, slot{text: at, segment: s.TypeID})
			continue
		}
		s := p["SpecialToken"]
		token, ok := k.SpecialTokens[s.ID]
		if !ok {
			return nil, fmt.Errorf("the template names the special token %q and special_tokens has none", s.ID)
		}
		out = append(out, slot{ids: token.IDs, segment: s.TypeID})
	}
	return out, nil
}
