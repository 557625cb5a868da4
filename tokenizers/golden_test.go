package tokenizers

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is a merge that mergekit 0.1.5 did of models whose embeddings are unit
// vectors, so that the output's rows say which rows they are made of.
type golden struct {
	Base   string
	Config struct {
		TokenizerSource string `json:"tokenizer_source"`
		Tokenizer       struct {
			Source          string
			PadToMultipleOf int `json:"pad_to_multiple_of"`
			Tokens          map[string]struct {
				Source json.RawMessage
				Force  bool
			}
		}
	}
	Models []struct {
		Name  string
		Rows  int
		Files map[string]string
	}
	IDs       map[string]int
	Size      int                           // rows of the output
	Rows      map[string]map[string][]share // by model and token
	Padding   map[string][][]share          // by model
	Tokenizer tokenizerJSON
}

// share is model, row, weight.
type share [3]float64

// tokenizerJSON is what of a tokenizer.json mergekit and we must have alike.
type tokenizerJSON struct {
	AddedTokens []map[string]any `json:"added_tokens"`
	Model       struct {
		Type          string
		Vocab, Merges any
	}
	Normalizer any
	PreTok     any `json:"pre_tokenizer"`
	Decoder    any
}

func (g *golden) request(t *testing.T) Request {
	t.Helper()
	c := g.Config.Tokenizer
	req := Request{Base: g.Base, Source: g.Config.TokenizerSource + c.Source, PadToMultipleOf: c.PadToMultipleOf}
	for _, m := range g.Models {
		req.Models = append(req.Models, Model{m.Name, loaded(t, m.Files), m.Rows})
	}
	for text, k := range c.Tokens {
		o := Override{Text: text, Force: k.Force}
		var by struct {
			Kind, Model string
			Token       string
			TokenID     int `json:"token_id"`
		}
		if err := json.Unmarshal(k.Source, &o.Model); err != nil {
			if err := json.Unmarshal(k.Source, &by); err != nil {
				t.Fatal(err)
			}
			o.Model, o.Zero, o.OtherModel, o.Other, o.OtherID = "", by.Kind == "zero", by.Model, by.Token, by.TokenID
		}
		req.Tokens = append(req.Tokens, o)
	}
	return req
}

// loaded reads a tokenizer from a folder with these files.
func loaded(t testing.TB, files map[string]string) *Tokenizer {
	t.Helper()
	tok, err := Load(written(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func written(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// expand is a row as weights of rows of the models' embeddings.
func (u *Union) expand(k, i int) map[[2]int]float64 {
	sum := map[[2]int]float64{}
	of := u.Rows[k][i].Of
	for _, r := range of {
		if r.Row != MeanRow {
			sum[[2]int{r.Model, r.Row}] += 1 / float64(len(of))
			continue
		}
		for j := range u.Vocabulary {
			for at, w := range u.expand(r.Model, j) {
				sum[at] += w / float64(u.Vocabulary*len(of))
			}
		}
	}
	return sum
}

func weights(shares []share) map[[2]int]float64 {
	sum := map[[2]int]float64{}
	for _, s := range shares {
		sum[[2]int{int(s[0]), int(s[1])}] += s[2]
	}
	return sum
}

var near = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-4 })

func TestUniteIsMergekits(t *testing.T) {
	paths, err := filepath.Glob("testdata/mergekit/*.json")
	if err != nil || len(paths) < 25 {
		t.Fatalf("%d vectors, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(data, &g); err != nil {
				t.Fatal(err)
			}
			req := g.request(t)
			u, err := Unite(req)
			if err != nil {
				t.Fatal(err)
			}
			donor := req.Models[0]
			for _, m := range req.Models {
				if m.Name == req.Source || m.Name == req.Base && (req.Source == "union" || req.Source == "base") {
					donor = m
				}
			}
			g.compare(t, u, donor)
		})
	}
}

func (g *golden) compare(t *testing.T, u *Union, donor Model) {
	if u.Padded != g.Size || len(u.Rows) != len(g.Models) || len(u.IDs) != len(g.IDs) {
		t.Fatalf("%d rows, %d tables, %d tokens; mergekit: %d, %d, %d", u.Padded, len(u.Rows), len(u.IDs), g.Size, len(g.Models), len(g.IDs))
	}
	var ours, theirs []int
	for text, id := range g.IDs {
		mine, ok := u.IDs[text]
		if !ok {
			t.Errorf("token %q is missing", text)
			continue
		}
		ours, theirs = append(ours, mine), append(theirs, id)
		// What is appended has another order in each of mergekit's runs.
		if was, ok := donor.row(text); ok && (mine != id || mine != was) {
			t.Errorf("token %q has id %d, mergekit's is %d, the donor's %d", text, mine, id, was)
		}
		for k, m := range g.Models {
			if diff := cmp.Diff(weights(g.Rows[m.Name][text]), u.expand(k, mine), near); diff != "" {
				t.Errorf("model %s, token %q: (-mergekit +ours)\n%s", m.Name, text, diff)
			}
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("ids (-mergekit +ours)\n%s", diff)
	}
	for k, m := range g.Models {
		padding := g.Padding[m.Name]
		if len(padding) != u.Padded-u.Vocabulary {
			t.Fatalf("%d rows of padding, mergekit has %d", u.Padded-u.Vocabulary, len(padding))
		}
		for i, want := range padding {
			if diff := cmp.Diff(weights(want), u.expand(k, u.Vocabulary+i), near); diff != "" {
				t.Errorf("model %s, padding: (-mergekit +ours)\n%s", m.Name, diff)
			}
		}
	}
	again := loadedBytes(t, u.Files)
	if diff := cmp.Diff(u.IDs, again.Tokens()); diff != "" {
		t.Errorf("the files written have other ids: (-said +read)\n%s", diff)
	}
	if u.Files["tokenizer.json"] == nil {
		return // mergekit turns vocab.json into tokenizer.json
	}
	var out tokenizerJSON
	if err := json.Unmarshal(u.Files["tokenizer.json"], &out); err != nil {
		t.Fatalf("%v in\n%s", err, u.Files["tokenizer.json"])
	}
	last := -1.0
	for _, a := range out.AddedTokens {
		if id := a["id"].(float64); id <= last || int(id) != u.IDs[a["content"].(string)] {
			t.Errorf("added token %v after id %v, want id %d", a, last, u.IDs[a["content"].(string)])
		} else {
			last = id
		}
	}
	g.Tokenizer.byText()
	out.byText()
	if diff := cmp.Diff(g.Tokenizer, out); diff != "" {
		t.Errorf("tokenizer.json (-mergekit +ours)\n%s", diff)
	}
}

// byText sorts added tokens and forgets their ids, which are compared already.
func (j *tokenizerJSON) byText() {
	for _, a := range j.AddedTokens {
		delete(a, "id")
	}
	slices.SortFunc(j.AddedTokens, func(a, b map[string]any) int {
		return strings.Compare(a["content"].(string), b["content"].(string))
	})
}

func loadedBytes(t testing.TB, files map[string][]byte) *Tokenizer {
	text := map[string]string{}
	for name, data := range files {
		text[name] = string(data)
	}
	return loaded(t, text)
}
