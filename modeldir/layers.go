package modeldir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// layerKeys count layers; which of them a model has is its class's habit.
var layerKeys = []string{
	"num_hidden_layers", "n_layer", "n_layers", "num_layers",
	"encoder_layers", "decoder_layers", "num_decoder_layers", "num_encoder_layers",
}

// maxLayers is more than any model has; a count beyond it is no count.
const maxLayers = 1 << 20

// counter is a key that counts layers.
type counter struct {
	scope
	key   string
	count int
}

// layers makes counts, lists with an entry a layer and lists of layers say what
// the output has.
func (ed *editor) layers(e Edits) error {
	counters, err := ed.counters(e)
	if err != nil {
		return err
	}
	at, old := counters[0].scope, counters[0].count
	if len(e.Layers) == 0 {
		return fmt.Errorf("the output has no layers")
	}
	same := len(e.Layers) == old
	for i, l := range e.Layers {
		if l < 0 || l >= old {
			return fmt.Errorf("layer %d of the output is the donor's layer %d, and %s says there are %d", i, l, at.label(counters[0].key), old)
		}
		same = same && i == l
	}
	if same {
		return nil
	}
	for _, c := range counters {
		ed.replace(c.get(c.key), strconv.Itoa(len(e.Layers)))
	}
	for _, m := range at.members {
		switch {
		case m.key == "attention_types":
			ed.attentionTypes(m.value, e.Layers, old)
		case slices.Contains(layerLists, m.key):
			ed.layerList(m.value, e.Layers)
		case m.is('[') && len(m.items) == old && !notPerLayer(m.key):
			ed.replace(m.value, ed.pick(m.value, e.Layers))
		}
	}
	ed.leading(at, e.Layers)
	ed.periods(at, e.Layers)
	return nil
}

// counters finds the keys that count the layers: those with the donor's count, all
// in one object.
func (ed *editor) counters(e Edits) ([]counter, error) {
	var all []counter
	for _, s := range ed.scopes() {
		for _, key := range layerKeys {
			if n, ok := ed.whole(s.get(key)); ok && n > 0 && n <= maxLayers {
				all = append(all, counter{s, key, n})
			}
		}
	}
	var told []string
	for _, c := range all {
		told = append(told, fmt.Sprintf("%s is %d", c.label(c.key), c.count))
	}
	list := strings.Join(told, ", ")
	if len(all) == 0 {
		return nil, fmt.Errorf("no key that counts layers (%s)", strings.Join(layerKeys, ", "))
	}
	found := slices.DeleteFunc(slices.Clone(all), func(c counter) bool {
		return e.DonorLayers > 0 && c.count != e.DonorLayers || e.LayersKey != "" && c.label(c.key) != e.LayersKey
	})
	if len(found) == 0 {
		if e.LayersKey != "" && !slices.ContainsFunc(all, func(c counter) bool { return c.label(c.key) == e.LayersKey }) {
			return nil, fmt.Errorf("no %s counts layers; there is: %s", e.LayersKey, list)
		}
		return nil, fmt.Errorf("the donor's weights have %d layers, but %s; is this the config.json of those weights?", e.DonorLayers, list)
	}
	if e.LayersKey != "" {
		// In encoder-decoders num_hidden_layers is another name of the encoder's count.
		if c := found[0]; c.key == "encoder_layers" || c.key == "num_layers" {
			if n, ok := ed.whole(c.get("num_hidden_layers")); ok && n == c.count {
				found = append(found, counter{c.scope, "num_hidden_layers", n})
			}
		}
		return found, nil
	}
	sides := 0
	for _, c := range found {
		if c.value != found[0].value || c.count != found[0].count {
			sides = 2
		}
		if c.key == "decoder_layers" || c.key == "num_decoder_layers" {
			sides++
		}
		if c.key == "encoder_layers" || c.key == "num_encoder_layers" || c.key == "num_layers" && ed.root.get("is_encoder_decoder").is('t') {
			sides++
		}
	}
	if sides > 1 {
		return nil, fmt.Errorf("several keys count layers (%s); say which one the layers belong to", list)
	}
	return found, nil
}

// layerLists hold numbers of layers, not an entry for each.
var layerLists = []string{
	"mlp_only_layers", "attn_layer_indices", "attn_layer_idxs", "full_attn_idxs", "cross_attention_layers",
	"hybrid_layer_ids", "global_attn_layers", "moe_layers", "deepstack_visual_indexes",
}

// notPerLayer reports lists that have as many entries as there are layers by chance.
func notPerLayer(key string) bool {
	for _, end := range []string{"_token_id", "_token_ids", "_token_index", "_tokens", "_ids", "_idxs", "_indices", "_indexes"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return key == "architectures" || strings.HasPrefix(key, "keys_to_ignore")
}

// layerList renumbers a list of layers: the output's layers that are one of them.
func (ed *editor) layerList(v *value, from []int) {
	if !v.is('[') {
		return
	}
	var has []int
	for _, item := range v.items {
		n, ok := ed.whole(item)
		if !ok {
			return
		}
		has = append(has, n)
	}
	var out []string
	for i, l := range from {
		if slices.Contains(has, l) {
			out = append(out, strconv.Itoa(i))
		}
	}
	between := ", "
	if len(v.items) > 1 {
		between = string(ed.data[v.items[0].to:v.items[1].from])
	}
	switch {
	case len(v.items) == 0 || len(out) == 0:
		ed.replace(v, "["+strings.Join(out, between)+"]")
	default:
		first, last := v.items[0], v.items[len(v.items)-1]
		ed.replace(v, string(ed.data[v.from:first.from])+strings.Join(out, between)+string(ed.data[last.to:v.to]))
	}
}

// attentionTypes rewrites GPT-Neo's [[["global", "local"], 12]]: kinds, and how
// often they repeat.
func (ed *editor) attentionTypes(v *value, from []int, old int) {
	var kinds []string
	for _, run := range v.items {
		if len(run.items) != 2 {
			return
		}
		times, ok := ed.whole(run.items[1])
		if !ok || times < 0 || times > old || times*len(run.items[0].items) > old {
			return
		}
		for range times {
			for _, kind := range run.items[0].items {
				kinds = append(kinds, ed.text(kind))
			}
		}
	}
	if len(kinds) != old {
		return
	}
	var out []string
	for _, l := range from {
		out = append(out, kinds[l])
	}
	ed.replace(v, "[[["+strings.Join(out, ", ")+"], 1]]")
}

// leading rewrites keys by which the first layers are of another kind.
func (ed *editor) leading(at scope, from []int) {
	for _, key := range []string{"first_k_dense_replace", "max_window_layers"} {
		k, ok := ed.whole(at.get(key))
		if !ok || k <= 0 || key == "max_window_layers" && (!at.get("use_sliding_window").is('t') || at.get("layer_types").is('[')) {
			continue
		}
		n := 0
		for n < len(from) && from[n] < k {
			n++
		}
		for i := n; i < len(from); i++ {
			if from[i] < k {
				ed.note("config.json: %s makes the first %d layers another kind, and layer %d of the output, the donor's layer %d, would be of the wrong one", at.label(key), k, i, from[i])
				break
			}
		}
		if n != k {
			ed.replace(at.get(key), strconv.Itoa(n))
		}
	}
}

// every is a key by which each nth layer is of another kind.
type every struct {
	key    string
	offset string // the key that says where the count starts, "" without one
	last   bool   // layer n-1 is the first of them, not layer 0
	unless string // the list that says it layer by layer, and counts where it is there
}

var periodic = []every{
	{"sliding_window_pattern", "", true, "layer_types"},
	{"_sliding_window_pattern", "", true, "layer_types"},
	{"full_attention_interval", "", true, "layer_types"},
	{"no_rope_layer_interval", "", true, "no_rope_layers"},
	{"global_attn_every_n_layers", "", false, "layer_types"},
	{"decoder_sparse_step", "", true, ""},
	{"interleave_moe_layer_step", "", true, "moe_layers"},
	{"moe_layer_freq", "", false, ""},
	{"attn_layer_period", "attn_layer_offset", false, "layers_block_type"},
	{"expert_layer_period", "expert_layer_offset", false, ""},
}

// periods notes where such a key cannot say what the output's layers are.
func (ed *editor) periods(at scope, from []int) {
	for _, p := range periodic {
		n, ok := ed.whole(at.get(p.key))
		if !ok || n < 2 || at.get(p.unless).is('[') {
			continue
		}
		offset := 0
		if p.last {
			offset = n - 1
		}
		if o, ok := ed.whole(at.get(p.offset)); ok {
			offset = o
		}
		for i, l := range from {
			if (i%n == offset) != (l%n == offset) {
				ed.note("config.json: %s makes every layer number %d another kind, and layer %d of the output, the donor's layer %d, would be of the wrong one", at.label(p.key), n, i, l)
				break
			}
		}
	}
}
