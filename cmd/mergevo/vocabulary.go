package main

import "github.com/mergevo/mergevo/modeldir"

// vocabulary is the tokenizer of an output.
type vocabulary struct{}

func (o *opened) shareVocabulary() error         { return nil }
func (o *opened) vocabularyHint(err error) error { return err }
func (o *opened) vocabularyRows() int            { return 0 }
func (o *opened) tokenizerFiles(files []modeldir.File) ([]modeldir.File, error) {
	return files, nil
}
