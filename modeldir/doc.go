// Package modeldir reads and writes what lies beside a model's weights: its
// configuration, its tokenizer's files, its chat template and its card.
//
// [Open] reads a folder. [Warnings] says what makes the models of a merge look
// as if they did not belong together. [Folder.Edit] gives the output's
// config.json from its donor's: JSON is edited where it stands, so that unknown
// keys, the order of keys and the spelling of numbers survive byte for byte.
// [Folder.SetChatTemplate] does the same for a template, [Companions] lists the
// files that travel unchanged, and [Card] writes the README.md, in which no
// local path ever appears.
//
// A folder that holds nothing but safetensors is a [Folder] too: it has nothing
// to compare, and nothing to edit.
package modeldir
