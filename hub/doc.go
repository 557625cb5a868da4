// Package hub brings models of the Hugging Face Hub to this machine.
//
// A [Client] resolves a reference such as org/name@revision to a commit, fetches
// the files that a merge needs into the cache that huggingface_hub also uses, and
// peeks: it fetches the configs whole and of the weights only the headers, so that
// names, shapes and vocabularies can be checked before anything large is moved.
//
// Only safetensors, JSON, tokenizer files, Jinja templates and README.md are
// fetched; pickles and code never are. A file is checked against the digest that
// the Hub gives for it and appears by rename. What a killed download leaves is
// continued by the next one. Processes that fetch the same file wait for each
// other, by the locks that huggingface_hub takes.
package hub
