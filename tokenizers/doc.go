// Package tokenizers reads the vocabularies of Hugging Face tokenizers and joins
// them: which token has which id, which row of an embedding it is, and what
// vocabulary a merged model has.
//
// [Load] reads a model's folder and gives tokens the ids that transformers gives
// them. [Unite] makes the tokenizer of a merge, as files, and says for each row of
// its vocabulary what every model puts there, as plain data: tensors are somebody
// else's. The rules are mergekit 0.1.5's; the comments of [Unite] list where they
// differ. [ChatTemplate] has the templates that recipes may name.
//
// Texts are tokenised by the package encode.
package tokenizers
