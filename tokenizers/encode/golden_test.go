package encode_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

// example is a line of a corpus: ids and texts as Hugging Face's tokenizers gives them.
type example struct {
	Text  string
	IDs   []int
	Back  *string // ids decoded with special tokens
	Clean string  // and without
}

// corpora lists NAME.json with its NAME.jsonl. MERGEVO_TOKENIZERS names another
// folder of what testdata/make.py makes, for a wider test by hand.
func corpora(t *testing.T) []string {
	dir := "testdata"
	if other := os.Getenv("MERGEVO_TOKENIZERS"); other != "" {
		dir = other
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	return list
}

func read(t *testing.T, file string) (list []example) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var e example
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	if err := s.Err(); err != nil || len(list) < 50 {
		t.Fatalf("%s: %d examples, %v", file, len(list), err)
	}
	return list
}

func TestParity(t *testing.T) {
	for _, file := range corpora(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			tok, err := encode.Load(strings.TrimSuffix(file, "l"))
			if err != nil {
				t.Fatal(err)
			}
			list := read(t, file)
			var encoded, decoded int
			for _, e := range list {
				if got := tok.Encode(e.Text); !slices.Equal(got, e.IDs) {
					if encoded++; encoded < 4 {
						t.Errorf("%.300q\ngot  %v\nwant %v", e.Text, got, e.IDs)
					}
				}
				if e.Back == nil {
					continue
				}
				if back, clean := tok.Decode(e.IDs, false), tok.Decode(e.IDs, true); back != *e.Back || clean != e.Clean {
					if decoded++; decoded < 4 {
						t.Errorf("decoding %v\ngot  %q\nwant %q\nclean %q\nwant  %q", e.IDs, back, *e.Back, clean, e.Clean)
					}
				}
			}
			if encoded+decoded > 0 {
				t.Errorf("of %d texts %d encode and %d decode otherwise", len(list), encoded, decoded)
			}
		})
	}
}
