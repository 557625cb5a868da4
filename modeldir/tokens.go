package modeldir

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// tokenWarnings compares what the tokenizers' configurations say: which texts are
// special, and whether one id means two things.
func tokenWarnings(folders []*Folder, names []string, base int) []string {
	var lines []string
	for _, key := range []string{"bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"} {
		values := make([]string, len(folders))
		for i, f := range folders {
			if f.tokenizer != nil {
				values[i] = f.tokenizer.tokenText(f.tokenizer.root.get(key))
			}
		}
		k := family{mild: true, then: "the output has the donor's"}
		if line := differ("tokenizer_config.json: "+key, values, names, base, k); line != "" {
			lines = append(lines, line)
		}
	}
	// The first id that differs is enough to see that the vocabularies do.
	type entry struct{ texts []string }
	added := map[int]*entry{}
	for i, f := range folders {
		if f.tokenizer == nil {
			continue
		}
		list := f.tokenizer.root.get("added_tokens_decoder")
		if !list.is('{') {
			continue
		}
		for _, m := range list.members {
			id, err := strconv.Atoi(m.key)
			if err != nil {
				continue
			}
			if added[id] == nil {
				added[id] = &entry{make([]string, len(folders))}
			}
			added[id].texts[i] = f.tokenizer.tokenText(m.value)
		}
	}
	first, count := "", 0
	ids := make([]int, 0, len(added))
	for id := range added {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[int])
	for _, id := range ids {
		if line := differ(fmt.Sprintf("tokenizer_config.json: token %d", id), added[id].texts, names, base, family{}); line != "" {
			count++
			if first == "" {
				first = line
			}
		}
	}
	if count > 1 {
		first += fmt.Sprintf(" (and %d more tokens differ)", count-1)
	}
	if first != "" {
		lines = append(lines, first)
	}
	return lines
}

// tokenText is a token's text in JSON, given as such or as an object; "" without
// one.
func (d *document) tokenText(v *value) string {
	if v.is('{') {
		v = v.get("content")
	}
	if !v.is('"') {
		return ""
	}
	return quote(d.str(v))
}
