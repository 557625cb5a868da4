package modeldir_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
)

// Each edit is given as the replacements that make the output of the input, so that
// all other bytes must be those of the donor.
func TestEdit(t *testing.T) {
	type edits = modeldir.Edits
	span := func(from, to int) (l []int) {
		for i := from; i < to; i++ {
			l = append(l, i)
		}
		return l
	}
	for _, test := range []struct {
		name, config string
		edits        edits
		replaced     []string // old and new in turn, each once
		notes        []string
	}{
		{"nothing", "llama", edits{}, nil, nil},
		{"what is there", "llama", edits{DType: tensors.BF16, Layers: span(0, 16), DonorLayers: 16, Vocabulary: 128256, Head: modeldir.HeadNone}, nil,
			[]string{}},
		{"type", "llama", edits{DType: tensors.F32}, []string{`"torch_dtype": "bfloat16"`, `"torch_dtype": "float32"`}, nil},
		{"type, newer name", "llama5", edits{DType: tensors.F16}, []string{`"dtype": "bfloat16"`, `"dtype": "float16"`}, nil},
		{"type, last key", "bert", edits{DType: tensors.BF16}, []string{`"dtype": "float16"`, `"dtype": "bfloat16"`}, nil},
		{"type, parts", "clip", edits{DType: tensors.BF16}, []string{
			"\"torch_dtype\": \"float32\",\n  \"transformers_version", "\"torch_dtype\": \"bfloat16\",\n  \"transformers_version",
			"\"torch_dtype\": \"float32\"\n", "\"torch_dtype\": \"bfloat16\"\n"}, nil},
		{"type, none named", "gpt2", edits{DType: tensors.BF16}, nil, nil},

		{"layers", "llama", edits{Layers: span(0, 8), DonorLayers: 16}, []string{`"num_hidden_layers": 16`, `"num_hidden_layers": 8`}, nil},
		{"layers, count not known", "gpt2", edits{Layers: append(span(0, 8), span(4, 12)...)}, []string{`"n_layer": 12`, `"n_layer": 16`}, nil},
		{"layers, kinds", "qwen2", edits{Layers: []int{0, 2, 3, 2, 3}, DonorLayers: 4}, []string{
			`"num_hidden_layers": 4`, `"num_hidden_layers": 5`,
			`    "full_attention",
    "full_attention",
    "sliding_attention",
    "sliding_attention"
`, `    "full_attention",
    "sliding_attention",
    "sliding_attention",
    "sliding_attention",
    "sliding_attention"
`}, nil},
		{"layers, turned", "qwen2", edits{Layers: []int{3, 2, 1, 0}, DonorLayers: 4}, []string{
			`    "full_attention",
    "full_attention",
    "sliding_attention",
    "sliding_attention"
`, `    "sliding_attention",
    "sliding_attention",
    "full_attention",
    "full_attention"
`}, nil},
		{"layers of the language model", "gemma3", edits{Layers: span(0, 30), DonorLayers: 34}, []string{`"num_hidden_layers": 34`, `"num_hidden_layers": 30`}, nil},
		{"layers of the language model, pattern", "gemma3", edits{Layers: append(span(0, 6), span(7, 34)...), DonorLayers: 34},
			[]string{`"num_hidden_layers": 34`, `"num_hidden_layers": 33`},
			[]string{"config.json: text_config.sliding_window_pattern makes every layer number 6 another kind, and layer 10 of the output, the donor's layer 11, would be of the wrong one"}},
		{"layers, named key", "clip", edits{Layers: span(0, 10), DonorLayers: 12, LayersKey: "vision_config.num_hidden_layers"},
			[]string{"\"num_hidden_layers\": 12,\n    \"patch_size\"", "\"num_hidden_layers\": 10,\n    \"patch_size\""}, nil},
		{"layers of an encoder", "whisper", edits{Layers: span(0, 3), DonorLayers: 4, LayersKey: "encoder_layers"},
			[]string{`"encoder_layers": 4`, `"encoder_layers": 3`, `"num_hidden_layers": 4`, `"num_hidden_layers": 3`}, nil},
		{"layers of a decoder", "whisper", edits{Layers: span(1, 4), DonorLayers: 4, LayersKey: "decoder_layers"},
			[]string{`"decoder_layers": 4`, `"decoder_layers": 3`}, nil},
		{"layers of experts", "mixtral", edits{Layers: span(0, 2), DonorLayers: 32}, []string{`"num_hidden_layers": 32`, `"num_hidden_layers": 2`}, nil},

		{"vocabulary", "llama", edits{Vocabulary: 128320}, []string{`"vocab_size": 128256`, `"vocab_size": 128320`}, nil},
		{"vocabulary, smaller", "qwen2", edits{Vocabulary: 151644}, []string{`"vocab_size": 151936`, `"vocab_size": 151644`},
			[]string{"config.json: eos_token_id 151645 is outside the vocabulary of 151644"}},
		{"vocabulary, padding outside", "whisper", edits{Vocabulary: 50257}, []string{`"vocab_size": 51865`, `"vocab_size": 50257`, `"pad_token_id": 50257`, `"pad_token_id": null`},
			[]string{
				"config.json: bos_token_id 50257 is outside the vocabulary of 50257", "config.json: eos_token_id 50257 is outside the vocabulary of 50257",
				"config.json: decoder_start_token_id 50258 is outside the vocabulary of 50257",
				"config.json: pad_token_id 50257 is outside the vocabulary of 50257 and is written as null"}},
		{"vocabulary of a part", "clip", edits{Vocabulary: 49410}, []string{`"vocab_size": 49408`, `"vocab_size": 49410`}, nil},
		{"vocabulary, the class's", "gemma3", edits{Vocabulary: 262145},
			[]string{"\"sliding_window_pattern\": 6\n", "\"sliding_window_pattern\": 6,\n    \"vocab_size\": 262145\n"}, nil},

		{"head of its own", "llama", edits{Head: modeldir.HeadOwn}, []string{`"tie_word_embeddings": true`, `"tie_word_embeddings": false`}, nil},
		{"head of its own, no key", "gpt2", edits{Head: modeldir.HeadOwn}, []string{"\"vocab_size\": 50257\n", "\"vocab_size\": 50257,\n  \"tie_word_embeddings\": false\n"}, nil},
		{"head of its own, parts", "gemma3", edits{Head: modeldir.HeadOwn}, []string{
			"\"sliding_window_pattern\": 6\n", "\"sliding_window_pattern\": 6,\n    \"tie_word_embeddings\": false\n",
			"\"vision_use_head\": false\n  }\n", "\"vision_use_head\": false\n  },\n  \"tie_word_embeddings\": false\n"}, nil},
		{"no head", "mixtral", edits{Head: modeldir.HeadNone}, []string{`"tie_word_embeddings": false`, `"tie_word_embeddings": true`}, nil},
		{"no head, encoder", "bert", edits{Head: modeldir.HeadNone}, nil, nil},

		{"all", "llama", edits{DType: tensors.F16, Layers: []int{5}, Vocabulary: 128257, Head: modeldir.HeadOwn}, []string{
			`"torch_dtype": "bfloat16"`, `"torch_dtype": "float16"`, `"num_hidden_layers": 16`, `"num_hidden_layers": 1`,
			`"vocab_size": 128256`, `"vocab_size": 128257`, `"tie_word_embeddings": true`, `"tie_word_embeddings": false`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			donor := config(t, test.config)
			want := donor
			for i := 0; i < len(test.replaced); i += 2 {
				if strings.Count(want, test.replaced[i]) != 1 {
					t.Fatalf("%q stands %d times", test.replaced[i], strings.Count(want, test.replaced[i]))
				}
				want = strings.Replace(want, test.replaced[i], test.replaced[i+1], 1)
			}
			got, notes, err := open(t, "config.json", donor).Edit(test.edits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Error(diff)
			}
			if strings.Join(notes, "\n") != strings.Join(test.notes, "\n") {
				t.Errorf("notes %q, want %q", notes, test.notes)
			}
		})
	}
}

// What config.json files hold beside the usual: odd spacing, lists on one line,
// rare keys.
func TestEditRare(t *testing.T) {
	for _, test := range []struct {
		name, config string
		edits        modeldir.Edits
		want         string
		note         string
	}{
		{"empty", `{}`, modeldir.Edits{Vocabulary: 7, Head: modeldir.HeadOwn}, `{"vocab_size": 7,"tie_word_embeddings": false}`, ""},
		{"one line", `{"n_layers":2,"x":1.50e+0}`, modeldir.Edits{Vocabulary: 7, Layers: []int{1}}, `{"n_layers":1,"x":1.50e+0,"vocab_size":7}`, ""},
		{"tabs and returns", "{\r\n\t\"a\" : 1\r\n}\r\n", modeldir.Edits{Vocabulary: 7}, "{\r\n\t\"a\" : 1,\r\n\t\"vocab_size\" : 7\r\n}\r\n", ""},
		{"last key edited and one added", `{"tie_word_embeddings": true}`, modeldir.Edits{Head: modeldir.HeadOwn, Vocabulary: 7}, `{"tie_word_embeddings": false,"vocab_size": 7}`, ""},
		{"list of one", `{"num_layers": 1, "layer_types": [ "a" ]}`, modeldir.Edits{Layers: []int{0, 0}}, `{"num_layers": 2, "layer_types": [ "a", "a" ]}`, ""},
		{"lists of one length", `{"num_layers": 2, "eos_token_id": [1, 2], "architectures": ["A", "B"], "kv": [3, 4]}`, modeldir.Edits{Layers: []int{1}},
			`{"num_layers": 1, "eos_token_id": [1, 2], "architectures": ["A", "B"], "kv": [4]}`, ""},
		{"layers by number", `{"num_hidden_layers": 4, "mlp_only_layers": [0, 3], "cross_attention_layers": [], "moe_layers": [2]}`, modeldir.Edits{Layers: []int{0, 3, 3, 1}},
			`{"num_hidden_layers": 4, "mlp_only_layers": [0, 1, 2], "cross_attention_layers": [], "moe_layers": []}`, ""},
		{"gpt-neo", `{"num_layers": 4, "attention_types": [[["global", "local"], 2]], "attention_layers": ["global", "local", "global", "local"]}`, modeldir.Edits{Layers: []int{0, 1, 3}},
			`{"num_layers": 3, "attention_types": [[["global", "local", "local"], 1]], "attention_layers": ["global", "local", "local"]}`, ""},
		{"first layers dense", `{"num_hidden_layers": 4, "first_k_dense_replace": 2}`, modeldir.Edits{Layers: []int{0, 2, 3}},
			`{"num_hidden_layers": 3, "first_k_dense_replace": 1}`, ""},
		{"a dense layer later", `{"num_hidden_layers": 4, "first_k_dense_replace": 1}`, modeldir.Edits{Layers: []int{0, 2, 0}},
			`{"num_hidden_layers": 3, "first_k_dense_replace": 1}`, "layer 2 of the output, the donor's layer 0,"},
		{"every second", `{"num_hidden_layers": 4, "decoder_sparse_step": 2}`, modeldir.Edits{Layers: []int{0, 1, 2, 3, 2, 3}}, `{"num_hidden_layers": 6, "decoder_sparse_step": 2}`, ""},
		{"every second, broken", `{"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1}`, modeldir.Edits{Layers: []int{1, 2}},
			`{"num_hidden_layers": 2, "attn_layer_period": 2, "attn_layer_offset": 1}`, "attn_layer_period makes every layer number 2"},
		{"both counts", `{"vocab_size": 5, "text_config": {"vocab_size": 5}}`, modeldir.Edits{Vocabulary: 6}, `{"vocab_size": 6, "text_config": {"vocab_size": 6}}`, ""},
		{"another count above", `{"vocab_size": 4, "text_config": {"vocab_size": 5}}`, modeldir.Edits{Vocabulary: 6}, `{"vocab_size": 4, "text_config": {"vocab_size": 6}}`, ""},
		{"deep part", `{"thinker_config": {"text_config": {"vocab_size": 5, "dtype": "float16"}}}`, modeldir.Edits{Vocabulary: 6, DType: tensors.F32}, `{"thinker_config": {"text_config": {"vocab_size": 6, "dtype": "float32"}}}`, ""},
		{"quantization keeps its type", `{"quantization_config": {"dtype": "int4"}, "torch_dtype": "float16"}`, modeldir.Edits{DType: tensors.F32}, `{"quantization_config": {"dtype": "int4"}, "torch_dtype": "float32"}`, ""},
		{"padding of none", `{"vocab_size": 5, "pad_token_id": -1}`, modeldir.Edits{Vocabulary: 4}, `{"vocab_size": 4, "pad_token_id": -1}`, ""},
		{"no head, encoder that says so", `{"architectures": ["BertModel"], "tie_word_embeddings": false}`, modeldir.Edits{Head: modeldir.HeadNone}, `{"architectures": ["BertModel"], "tie_word_embeddings": false}`, ""},
		{"another count in an encoder-decoder", `{"encoder_layers": 2, "decoder_layers": 4, "num_hidden_layers": 4}`, modeldir.Edits{Layers: []int{0}, LayersKey: "encoder_layers"}, `{"encoder_layers": 1, "decoder_layers": 4, "num_hidden_layers": 4}`, ""},
		{"more kinds than memory", `{"num_layers": 2, "attention_types": [[[` + strings.Repeat("0, ", 1023) + `0], 9007199254740992]]}`, modeldir.Edits{Layers: []int{0}},
			`{"num_layers": 1, "attention_types": [[[` + strings.Repeat("0, ", 1023) + `0], 9007199254740992]]}`, ""},
		{"code", `{"auto_map": {"AutoModel": "modeling_x.XModel", "AutoConfig": "o/n--conf.X", "AutoTokenizer": ["tok.T", null]}}`, modeldir.Edits{}, `{"auto_map": {"AutoModel": "modeling_x.XModel", "AutoConfig": "o/n--conf.X", "AutoTokenizer": ["tok.T", null]}}`, "auto_map needs modeling_x.py, tok.py, and code is not copied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, notes, err := open(t, "config.json", test.config).Edit(test.edits)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			if said := strings.Join(notes, "\n"); test.note == "" && said != "" || !strings.Contains(said, test.note) {
				t.Errorf("notes %q, want %q", notes, test.note)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for _, test := range []struct {
		name, config string
		edits        modeldir.Edits
		want         string
	}{
		{"no count", `{"model_type": "x"}`, modeldir.Edits{Layers: []int{0}}, "no key that counts layers (num_hidden_layers, n_layer"},
		{"another model's", `{"n_layer": 12}`, modeldir.Edits{Layers: []int{0}, DonorLayers: 24}, "the donor's weights have 24 layers, but n_layer is 12; is this the config.json of those weights?"},
		{"layer that is not there", `{"n_layer": 2}`, modeldir.Edits{Layers: []int{0, 2}}, "layer 1 of the output is the donor's layer 2, and n_layer says there are 2"},
		{"negative", `{"n_layer": 2}`, modeldir.Edits{Layers: []int{-1}}, "the donor's layer -1"},
		{"none", `{"n_layer": 2}`, modeldir.Edits{Layers: []int{}}, "has no layers"},
		{"two towers", config(t, "clip"), modeldir.Edits{Layers: []int{0}, DonorLayers: 12}, "several keys count layers (text_config.num_hidden_layers is 12, vision_config.num_hidden_layers is 12)"},
		{"two sides", config(t, "whisper"), modeldir.Edits{Layers: []int{0}, DonorLayers: 4}, "several keys count layers"},
		{"t5", `{"is_encoder_decoder": true, "num_layers": 6, "num_decoder_layers": 6}`, modeldir.Edits{Layers: []int{0}}, "several keys count layers"},
		{"no such key", config(t, "clip"), modeldir.Edits{Layers: []int{0}, LayersKey: "audio_config.num_layers"}, "no audio_config.num_layers counts layers; there is: text_config"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := open(t, "config.json", test.config).Edit(test.edits)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "config.json: ") {
				t.Errorf("error %v; want %q", err, test.want)
			}
		})
	}
}

func TestEditSeesGeneration(t *testing.T) {
	f := open(t, "config.json", `{"vocab_size": 9}`, "generation_config.json", `{"eos_token_id": [1, 8]}`)
	_, notes, err := f.Edit(modeldir.Edits{Vocabulary: 8})
	if want := []string{"generation_config.json: eos_token_id 8 is outside the vocabulary of 8"}; err != nil || cmp.Diff(want, notes) != "" {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestPaddedVocabulary(t *testing.T) {
	f := open(t, "config.json", `{"vocab_size": 38}`)
	for _, test := range []struct {
		rows, tokens int
		want         string
	}{
		{38, 0, ""},
		{38, 38, ""},
		{33, 33, "config.json: vocab_size is 38, and the embedding written has 33 rows; the output says 33"},
		{38, 35, "padded vocabulary kept: 38 rows for 35 entries of the tokenizer"},
		{38, 40, "the tokenizer has 40 entries and the embedding 38 rows: the last 2 entries have none"},
	} {
		if got := strings.Join(f.PaddedVocabulary(test.rows, test.tokens), "\n"); got != test.want {
			t.Errorf("%d rows, %d tokens: %q, want %q", test.rows, test.tokens, got, test.want)
		}
	}
}
