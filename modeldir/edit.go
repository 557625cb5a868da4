package modeldir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/tensors"
)

// Edits are what a merge makes different from its donor. The zero value changes
// nothing.
type Edits struct {
	// DType is the type written, 0 to leave what is there. A config.json that names
	// no type is not given one: readers take it from the weights.
	DType tensors.DType
	// Layers names, for each layer of the output, the donor's layer that it is,
	// from 0; nil leaves the layers alone. A layer may stand several times.
	Layers []int
	// DonorLayers is the number of layers in the donor's weights, 0 where it is not
	// known. It tells which key counts them.
	DonorLayers int
	// LayersKey is that key where the donor has several networks, with dots, such as
	// vision_config.num_hidden_layers or decoder_layers; "" finds it.
	LayersKey string
	// Vocabulary is the number of rows of the embedding written, 0 to leave it.
	Vocabulary int
	// Head says whether an output matrix of its own is written.
	Head Head
	// Keys are set at the top, in their order.
	Keys []Key
}

// Key is a key of config.json with its value as JSON; Missing sets it only where there
// is none.
type Key struct {
	Name, JSON string
	Missing    bool
}

// Head says what the output has for an lm_head.
type Head uint8

const (
	// HeadUnknown leaves tie_word_embeddings alone: for models without a vocabulary,
	// or where what is written equals the embedding.
	HeadUnknown Head = iota
	// HeadOwn is an output matrix that differs from the embedding: a reader that
	// ties them would ignore it.
	HeadOwn
	// HeadNone is no output matrix under any name: a reader that does not tie would
	// make one up.
	HeadNone
)

// Edit returns the config.json of an output whose donor is this folder, nil where
// the donor has none. Bytes that no edit concerns stay as they are. The notes are
// a line for each thing that config.json cannot say or that looks wrong in it.
// It fails where the layers cannot be counted, naming the keys there are.
func (f *Folder) Edit(e Edits) (data []byte, notes []string, err error) {
	if f.config == nil {
		return nil, nil, nil
	}
	ed := &editor{splices: splices{document: f.config}}
	if e.DType != 0 {
		ed.dtype(e.DType.Torch())
	}
	if e.Layers != nil {
		if err := ed.layers(e); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.config.path, err)
		}
	}
	if e.Vocabulary > 0 {
		ed.vocabulary(e.Vocabulary)
		ed.specials(f.generation, e.Vocabulary)
	}
	ed.head(e.Head)
	for _, k := range e.Keys {
		if !k.Missing || ed.root.get(k.Name) == nil {
			ed.set(ed.root, k.Name, k.JSON)
		}
	}
	ed.code()
	return ed.bytes(), ed.notes, nil
}

// editor edits one config.json.
type editor struct {
	splices
	notes []string
}

func (ed *editor) note(format string, args ...any) {
	ed.notes = append(ed.notes, fmt.Sprintf(format, args...))
}

// dtype renames the type wherever one is named: the parts repeat it.
func (ed *editor) dtype(name string) {
	for _, s := range ed.scopes() {
		for _, key := range dtypeKeys {
			if v := s.get(key); v.is('"') && ed.str(v) != name {
				ed.replace(v, quote(name))
			}
		}
	}
}

var dtypeKeys = []string{"torch_dtype", "dtype"}

// vocabulary sets the rows where they are told; where the class's default holds,
// the key is added.
func (ed *editor) vocabulary(rows int) {
	lang := ed.language()
	told := false
	for _, key := range []string{"vocab_size", "padded_vocab_size"} {
		old := ""
		for _, s := range lang {
			// The top may hold another vocabulary than its language model's.
			if v := s.get(key); v.is('0') && (old == "" || ed.canonical(v) == old) {
				old, told = ed.canonical(v), true
				if n, ok := ed.whole(v); !ok || n != rows {
					ed.replace(v, strconv.Itoa(rows))
				}
			}
		}
	}
	if !told {
		ed.set(lang[0].value, "vocab_size", strconv.Itoa(rows))
	}
}

// specials looks for tokens outside the vocabulary. A padding token there keeps a
// model from loading, so that one goes.
func (ed *editor) specials(generation *document, rows int) {
	outside := func(d *document, file, label string, v *value) bool {
		ids := []*value{v}
		if v.is('[') {
			ids = v.items
		}
		for _, id := range ids {
			if n, ok := d.whole(id); ok && n >= rows {
				ed.note("%s: %s %d is outside the vocabulary of %d", file, label, n, rows)
				return true
			}
		}
		return false
	}
	for _, s := range ed.language() {
		for _, key := range []string{"bos_token_id", "eos_token_id", "decoder_start_token_id"} {
			outside(ed.document, "config.json", s.label(key), s.get(key))
		}
		if v := s.get("pad_token_id"); outside(ed.document, "config.json", s.label("pad_token_id"), v) {
			ed.notes[len(ed.notes)-1] += " and is written as null"
			ed.replace(v, "null")
		}
	}
	if generation != nil {
		for _, key := range []string{"bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"} {
			outside(generation, "generation_config.json", key, generation.root.get(key))
		}
	}
}

// head makes tie_word_embeddings say what is written.
func (ed *editor) head(h Head) {
	const key = "tie_word_embeddings"
	switch h {
	case HeadOwn:
		// Classes differ in their default, so an absent key is no answer.
		for _, s := range ed.language() {
			ed.set(s.value, key, "false")
		}
	case HeadNone:
		// Models without a head, such as encoders, may well say false.
		if !ed.generates() {
			return
		}
		for _, s := range ed.language() {
			if v := s.get(key); v.is('f') {
				ed.replace(v, "true")
			}
		}
	}
}

// generates reports whether the model's class has an output matrix.
func (ed *editor) generates() bool {
	list := ed.root.get("architectures")
	return list.is('[') && slices.ContainsFunc(list.items, func(v *value) bool {
		name := ed.str(v)
		for _, end := range []string{"ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForImageTextToText"} {
			if strings.HasSuffix(name, end) {
				return true
			}
		}
		return false
	})
}

// code notes modules that the model brings and that do not travel.
func (ed *editor) code() {
	var files []string
	var walk func(v *value)
	walk = func(v *value) {
		switch {
		case v.is('"'):
			module, _, found := strings.Cut(ed.str(v), ".")
			// org/name--module.Class is loaded from the Hub.
			if file := module + ".py"; found && !strings.Contains(module, "--") && !slices.Contains(files, file) {
				files = append(files, file)
			}
		case v.is('['):
			for _, item := range v.items {
				walk(item)
			}
		}
	}
	if v := ed.root.get("auto_map"); v.is('{') {
		for _, m := range v.members {
			walk(m.value)
		}
	}
	if files != nil {
		ed.note("config.json: auto_map needs %s, and code is not copied; put it beside the output", strings.Join(files, ", "))
	}
}
