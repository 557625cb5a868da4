package tokenizers

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tokenizer is a model's vocabulary, and the files that it was read from.
type Tokenizer struct {
	dir    folder
	source string // the file of the vocabulary: tokenizer.json, vocab.json or vocab.txt
	kind   string // BPE, WordPiece, Unigram or WordLevel
	words  int    // entries of the model that splits texts, without added ones
	size   int    // entries, with added ones
	tokens map[string]int
	added  []Added
	twice  string         // a piece of Unigram that stands twice, "" if none does
	place  map[string]int // of a text in added
	inFile int            // so many of added stand in tokenizer.json
	next   int            // the id that the next added token gets
	named  []named
	marks  marks
	prefix string // of the tokens that go on with a word, in BPE

	template *string
	decoder  bool // tokenizer_config.json has an added_tokens_decoder
	// lowercase is do_lower_case of tokenizer_config.json, true without it.
	lowercase bool
}

// marks are where the parts of tokenizer.json start that may be edited, 0 where
// there is none.
type marks struct{ added, vocab, merges int }

// folder is a model's directory: the tokenizer's files in it, read.
type folder struct {
	path  string
	files map[string][]byte
}

// fileNames are the files that make a tokenizer.
var fileNames = []string{
	"added_tokens.json", "chat_template.jinja", "merges.txt", "special_tokens_map.json", "spiece.model",
	"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt",
}

// FileNames returns the names of the files that make a tokenizer, sorted. An
// output that gets the tokenizer of another folder must have none of the first
// one's left.
func FileNames() []string { return slices.Clone(fileNames) }

// maxFile bounds a file, in bytes: the largest real ones, tokenizer.json of
// 260,000 tokens, take 35 MB.
const maxFile = 256 << 20

// Load reads the tokenizer of a model's folder: tokenizer.json, else vocab.json
// with merges.txt, else vocab.txt; and what tokenizer_config.json,
// special_tokens_map.json and added_tokens.json add to it, as transformers 5
// does. Ids are those that Hugging Face gives: what tokenizer.json says of an
// added token that its model lacks is the text, the id follows from the order.
//
// A folder without a tokenizer gives an error that is [fs.ErrNotExist]; one with
// nothing but a SentencePiece model says how to convert it. A file that cannot be
// read is a [FormatError], with line and column.
//
// A path to a file is read as a tokenizer.json without anything beside it.
func Load(dir string) (*Tokenizer, error) {
	f := folder{dir, map[string][]byte{}}
	if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() {
		f.path = filepath.Dir(dir)
		data, err := os.ReadFile(dir)
		if err != nil {
			return nil, err
		}
		f.files["tokenizer.json"] = data
		return load(f)
	}
	for _, name := range fileNames {
		if err := f.read(name); err != nil {
			return nil, err
		}
	}
	return load(f)
}

// Tokenizer returns the output's own tokenizer, which is not on a disk yet; name is
// what errors call its folder.
func (u *Union) Tokenizer(name string) (*Tokenizer, error) { return load(folder{name, u.Files}) }

func (f folder) read(name string) error {
	path := filepath.Join(f.path, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file", path)
	case info.Size() > maxFile:
		return fmt.Errorf("%s: %d bytes, more than the %d that such a file may take", path, info.Size(), maxFile)
	}
	f.files[name], err = os.ReadFile(path)
	return err
}

// object reads the object of a file, if there is the file: each must read the
// value of every key. A key that stands twice is refused.
func (f folder) object(name string, each func(c *cursor, key string) error) error {
	data, ok := f.files[name]
	if !ok {
		return nil
	}
	c, err := newCursor(filepath.Join(f.path, name), string(data))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	err = c.object("the file", func(key string, at int) error {
		if seen[key] {
			return c.fail(at, "the key %q stands twice, and readers disagree on which one counts; remove one", key)
		}
		seen[key] = true
		return each(c, key)
	})
	if err != nil {
		return err
	}
	return c.end()
}

func load(f folder) (*Tokenizer, error) {
	t := &Tokenizer{dir: f, tokens: map[string]int{}, place: map[string]int{}}
	var listed []Added
	var err error
	has := func(name string) bool { _, ok := f.files[name]; return ok }
	switch {
	case has("tokenizer.json"):
		t.source = "tokenizer.json"
		listed, err = t.readJSON()
	case has("vocab.json") && has("merges.txt"):
		t.source, t.kind = "vocab.json", "BPE"
		err = t.readVocabulary()
	case has("vocab.json"):
		err = fmt.Errorf("%s: vocab.json is there and merges.txt is not; download it too", f.path)
	case has("vocab.txt"):
		t.source, t.kind = "vocab.txt", "WordPiece"
		t.readLines()
	case has("tokenizer.model") || has("spiece.model"):
		err = fmt.Errorf("%s: the tokenizer is a SentencePiece model without tokenizer.json; make one with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)", f.path)
	default:
		err = fmt.Errorf("%s: no tokenizer: %w: tokenizer.json, vocab.json with merges.txt, or vocab.txt", f.path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if t.words = len(t.tokens); t.kind == "Unigram" {
		t.words = t.next // pieces that stand twice count twice
	}
	t.next, t.size = t.words, t.words
	for _, a := range listed {
		t.add(a)
	}
	t.inFile = len(t.added)
	if len(t.tokens) == 0 {
		return nil, fmt.Errorf("%s: the vocabulary is empty; download the file again", filepath.Join(f.path, t.source))
	}
	s, err := readSettings(f)
	if err != nil {
		return nil, err
	}
	t.addImplied(s)
	t.named, t.template, t.decoder, t.lowercase = s.named, s.template, s.hasDecoder, s.lowercase
	if data, ok := f.files["chat_template.jinja"]; ok {
		text := string(data)
		t.template = &text
	}
	return t, nil
}

// readVocabulary reads vocab.json.
func (t *Tokenizer) readVocabulary() error {
	return t.dir.object(t.source, func(c *cursor, text string) (err error) {
		t.tokens[text], err = c.id(fmt.Sprintf("the id of %q", text))
		return err
	})
}

// readLines reads vocab.txt: a token a line. Of one that stands twice the last
// counts, as in transformers.
func (t *Tokenizer) readLines() {
	text := strings.TrimSuffix(string(t.dir.files[t.source]), "\n")
	if text == "" {
		return
	}
	for i, line := range strings.Split(text, "\n") {
		t.tokens[strings.TrimRight(line, " \t\r\v\f\u0085\u00a0")] = i
	}
}

// Tokens returns every token and its id, added tokens included.
func (t *Tokenizer) Tokens() map[string]int { return maps.Clone(t.tokens) }

// Size is the number of tokens, added ones included: len(tokenizer) in Python.
func (t *Tokenizer) Size() int { return t.size }

// Kind is the model that splits texts: BPE, WordPiece, Unigram or WordLevel.
func (t *Tokenizer) Kind() string { return t.kind }

// ChatTemplate returns the Jinja text of the chat template, and whether there is
// one: chat_template.jinja, else the key of tokenizer_config.json, of several
// there the one named default.
func (t *Tokenizer) ChatTemplate() (string, bool) {
	if t.template == nil {
		return "", false
	}
	return *t.template, true
}

// Dir is the folder that the tokenizer was read from.
func (t *Tokenizer) Dir() string { return t.dir.path }

// Source returns the file that the vocabulary was read from, and its name:
// tokenizer.json, vocab.json or vocab.txt.
func (t *Tokenizer) Source() (name string, data []byte) { return t.source, t.dir.files[t.source] }

// ID returns the id of a token, and whether there is such a token.
func (t *Tokenizer) ID(text string) (int, bool) {
	id, ok := t.tokens[text]
	return id, ok
}

// Named returns the text of a special token that the settings name, as bos_token or
// eos_token, and whether they name it.
func (t *Tokenizer) Named(key string) (string, bool) {
	for _, n := range t.named {
		if n.key == key {
			return n.text, true
		}
	}
	return "", false
}

// Merges returns the lines of merges.txt that join tokens, in order.
func (t *Tokenizer) Merges() []string {
	var out []string
	for _, line := range strings.Split(string(t.dir.files["merges.txt"]), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line != "" && !strings.HasPrefix(line, "#version") {
			out = append(out, line)
		}
	}
	return out
}

// Lowercase is do_lower_case of tokenizer_config.json, true where it says nothing.
func (t *Tokenizer) Lowercase() bool { return t.lowercase }
