package encode

import (
	"encoding/json"
	"fmt"

	"github.com/mergevo/mergevo/tokenizers"
)

// bertStages are those of transformers' BertTokenizer, for a vocab.txt.
func bertStages(v *tokenizers.Tokenizer) file {
	f := file{
		Normalizer:   fmt.Appendf(nil, `{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": %t}`, v.Lowercase()),
		PreTokenizer: json.RawMessage(`{"type": "BertPreTokenizer"}`),
		Model:        json.RawMessage(`{"unk_token": "[UNK]", "max_input_chars_per_word": 100}`),
		Decoder:      json.RawMessage(`{"type": "WordPiece", "cleanup": true}`),
	}
	cls, ok := v.ID("[CLS]")
	sep, ok2 := v.ID("[SEP]")
	if ok && ok2 {
		f.PostProcessor, _ = json.Marshal(map[string]any{"type": "BertProcessing", "cls": []any{"[CLS]", cls}, "sep": []any{"[SEP]", sep}})
	}
	return f
}

// gptStages are those of transformers' GPT2Tokenizer, for vocab.json and merges.txt.
func gptStages(merges []string) (file, error) {
	list, err := json.Marshal(map[string]any{"merges": merges})
	return file{
		PreTokenizer: json.RawMessage(`{"type": "ByteLevel", "add_prefix_space": false}`),
		Model:        list,
		Decoder:      json.RawMessage(`{"type": "ByteLevel"}`),
	}, err
}
