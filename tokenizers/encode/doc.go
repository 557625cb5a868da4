// Package encode turns texts into token ids and back, as Hugging Face's tokenizers
// 0.23 does with the same tokenizer.json: id for id.
//
// A text goes through five stages, each written in the file: [added tokens] are cut
// out, a normalizer rewrites the rest, a pre-tokenizer splits it, a model (WordPiece,
// BPE, Unigram, WordLevel) gives each piece its ids, and a post-processor adds the
// special tokens. A stage that is not known is an error when the file is read.
//
// [added tokens]: see [tokenizers.Added]
package encode
