package modeldir

import "slices"

// companions are what a loader reads beside config.json and the weights, as
// transformers and sentence-transformers name it.
var companions = []string{
	"generation_config.json",
	// tokenizers
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
	"vocab.json", "vocab.txt", "vocab.bpe", "encoder.json", "merges.txt", "bpe.codes", "normalizer.json",
	"tokenizer.model", "tokenizer.model.v3", "tekken.json", "spiece.model", "sentencepiece.bpe.model", "spm.model", "source.spm", "target.spm",
	"tiktoken.model", "qwen.tiktoken",
	"chat_template.jinja", "chat_template.json",
	// images, sound and video
	"preprocessor_config.json", "processor_config.json", "image_processor_config.json", "video_preprocessor_config.json",
	// sentence embeddings; not modules.json, which names folders that stay behind
	"sentence_bert_config.json", "config_sentence_transformers.json",
}

// Companions returns the names of the files that travel with a model unchanged:
// tokenizer, processor and generation files. config.json is not among them, see
// [Folder.Edit]; nor is code, which is not copied from strangers.
func Companions() []string { return slices.Clone(companions) }
