package tokenizers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func two(t testing.TB) []Model {
	base := loaded(t, map[string]string{"tokenizer.json": wordLevel(abc, "0 <unk>", "3 <pad>")})
	chat := loaded(t, map[string]string{"tokenizer.json": wordLevel(`{"<unk>":0,"b":1,"hello":2}`, "0 <unk>", "3 <|im_start|>")})
	return []Model{{"./base", base, 4}, {"./chat", chat, 4}}
}

func TestUniteRefuses(t *testing.T) {
	for _, k := range []struct {
		name string
		edit func(*Request)
		want string
	}{
		{"no models", func(r *Request) { r.Models = nil }, `no models`},
		{"a model twice", func(r *Request) { r.Models = append(r.Models, r.Models[0]) }, `model ./base is listed twice`},
		{"no tokenizer", func(r *Request) { r.Models[1].Tokenizer = nil }, `model ./chat has no tokenizer`},
		{"no rows", func(r *Request) { r.Models[1].Rows = 0 }, `model ./chat has an embedding of 0 rows`},
		{"an unknown base", func(r *Request) { r.Base = "./bsae" }, `base model ./bsae is none of the models: ./base, ./chat; did you mean "./base"\?`},
		{"an unknown source", func(r *Request) { r.Source = "unoin" }, `tokenizer source "unoin" is no model of this merge: union, base, ./base, ./chat; did you mean "union"\?`},
		{"base without one", func(r *Request) { r.Source, r.Base = "base", "" }, `there is no base_model; name a model or union`},
		{"a negative multiple", func(r *Request) { r.PadToMultipleOf = -1 }, `pad_to_multiple_of is -1`},
		{"a token twice", tell(Override{Text: "a"}, Override{Text: "a"}), `token "a" is listed twice`},
		{"no text", tell(Override{Zero: true}), `an empty token`},
		{"two sources", tell(Override{Text: "a", Zero: true, Model: "./chat"}), `token "a": has several sources`},
		{"force alone", tell(Override{Text: "a", Force: true}), `token "a": is forced, and has no source`},
		{"a new token without a source", tell(Override{Text: "<|im_strat|>"}), `no model has it, so it needs a source.*; did you mean "<\|im_start\|>"\?`},
		{"an unknown model", tell(Override{Text: "a", Model: "./caht"}), `its source is ./caht, which is no model of this merge: ./base, ./chat; did you mean "./chat"\?`},
		{"a model that lacks the token", tell(Override{Text: "hello", Model: "./base"}), `token "hello": model ./base has no token "hello"`},
		{"a misspelt other token", tell(Override{Text: "a", OtherModel: "./chat", Other: "<|im_strat|>"}), `model ./chat has no token "<\|im_strat\|>"; did you mean "<\|im_start\|>"\?`},
		{"an id beyond", tell(Override{Text: "a", OtherModel: "./chat", OtherID: 4}), `token id 4 is not one of model ./chat, whose embedding has rows 0 to 3`},
		{"a token beyond the rows", func(r *Request) {
			r.Models[1].Rows = 3
			r.Tokens = []Override{{Text: "x", OtherModel: "./chat", Other: "<|im_start|>"}}
		}, `token "<\|im_start\|>" of model ./chat has id 3, and the embedding only 3 rows`},
		{"all at once", tell(Override{Text: "a", Force: true}, Override{Text: "hello", Model: "./base"}), "(?s)\"a\": is forced.*\n.*\"hello\": model"},
	} {
		t.Run(k.name, func(t *testing.T) {
			r := Request{Models: two(t), Base: "./base", Source: "union"}
			k.edit(&r)
			if _, err := Unite(r); err == nil || !regexp.MustCompile(k.want).MatchString(err.Error()) {
				t.Errorf("%v, want %s", err, k.want)
			}
		})
	}
}

func tell(o ...Override) func(*Request) { return func(r *Request) { r.Tokens = o } }

func TestUniteRefusesHoles(t *testing.T) {
	m := two(t)
	m[0].Tokenizer = loaded(t, map[string]string{"tokenizer.json": wordLevel(`{"<unk>":0,"a":1,"b":3}`)})
	_, err := Unite(Request{Models: m, Base: "./base", Source: "union"})
	if err == nil || !strings.Contains(err.Error(), `cannot append token "hello": its id would be 3`) {
		t.Error(err)
	}
	u, err := Unite(Request{Models: m, Base: "./base", Source: "base"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Row{{[]Ref{{1, 0}}}, {[]Ref{{0, 1}}}, {}, {[]Ref{{1, 1}}}}, u.Rows[1]); diff != "" {
		t.Error(diff)
	}
}

func TestKeepPadding(t *testing.T) {
	own := func(k int, rows ...int) (list []Row) {
		for _, i := range rows {
			list = append(list, Row{[]Ref{{k, i}}})
		}
		return list
	}
	for _, k := range []struct {
		name   string
		source string
		rows   [2]int
		by     int
		padded int
		chat   []Row
	}{
		{"shared", "base", [2]int{6, 6}, 0, 6, append(append(own(1, 0), own(0, 1)...), append(own(1, 1), append(own(0, 3), own(1, 4, 5)...)...)...)},
		{"shared, and more", "base", [2]int{6, 6}, 4, 8, append(append(own(1, 0), own(0, 1)...), append(own(1, 1), append(own(0, 3), own(1, 4, 5, MeanRow, MeanRow)...)...)...)},
		{"a multiple already", "base", [2]int{6, 6}, 3, 6, append(append(own(1, 0), own(0, 1)...), append(own(1, 1), append(own(0, 3), own(1, 4, 5)...)...)...)},
		{"union eats it", "union", [2]int{7, 7}, 0, 7, append(append(own(1, 0), own(0, 1)...), append(own(1, 1), append(own(0, 3), own(1, 2, 3, 6)...)...)...)},
		{"not shared", "base", [2]int{6, 7}, 0, 4, append(append(own(1, 0), own(0, 1)...), append(own(1, 1), own(0, 3)...)...)},
	} {
		t.Run(k.name, func(t *testing.T) {
			m := two(t)
			m[0].Rows, m[1].Rows = k.rows[0], k.rows[1]
			u, err := Unite(Request{Models: m, Base: "./base", Source: k.source, KeepPadding: true, PadToMultipleOf: k.by})
			if err != nil {
				t.Fatal(err)
			}
			if u.Padded != k.padded {
				t.Errorf("%d rows, want %d", u.Padded, k.padded)
			}
			if diff := cmp.Diff(k.chat, u.Rows[1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A row that a token of the model has is no padding, wherever the token went.
func TestKeepPaddingTakesNoTokensRow(t *testing.T) {
	m := two(t)
	m[0].Tokenizer = loaded(t, map[string]string{"tokenizer.json": wordLevel(`{"<unk>":0,"a":1}`)})
	u, err := Unite(Request{Models: m, Base: "./base", Source: "base", KeepPadding: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Row{{[]Ref{{1, MeanRow}}}, {[]Ref{{1, MeanRow}}}}, u.Rows[1][2:]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Row{{[]Ref{{0, 2}}}, {[]Ref{{0, 3}}}}, u.Rows[0][2:]); diff != "" {
		t.Error(diff)
	}
}

// mergekit fails for these three.
func TestUniteWhereMergekitFails(t *testing.T) {
	m := two(t)
	m[1].Rows = 3 // <|im_start|> has no row there
	u, err := Unite(Request{Models: m, Base: "./base", Source: "union", Tokens: []Override{{Text: "<|im_start|>", Zero: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if id := u.IDs["<|im_start|>"]; id != 5 || len(u.Rows[1][id].Of) != 0 || len(u.Notes) != 1 || !strings.Contains(u.Notes[0], "./chat: its embedding has 3 rows and its tokenizer 1 tokens beyond them") {
		t.Errorf("id %d, %v, %q", id, u.Rows[1], u.Notes)
	}
	u, err = Unite(Request{Models: two(t), Base: "./base", Source: "base", Tokens: []Override{{Text: "<|im_start|>", Model: "./chat"}, {Text: "new", OtherModel: "./chat", OtherID: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	if u.Vocabulary != 6 || u.IDs["new"] != 5 {
		t.Errorf("%v", u.IDs)
	}
	if diff := cmp.Diff([]Row{{[]Ref{{1, 3}}}, {[]Ref{{1, 2}}}}, u.Rows[0][4:]); diff != "" {
		t.Error(diff)
	}
	m = two(t)
	m[0].Rows = 2 // a WordLevel donor is cut as well
	if u, err = Unite(Request{Models: m, Base: "./base", Source: "base"}); err != nil || len(u.IDs) != 2 {
		t.Errorf("%v, %v", err, u)
	}
}

func TestMeanOfOwners(t *testing.T) {
	m := two(t)
	m = append(m, Model{"./third", m[1].Tokenizer, 4})
	u, err := Unite(Request{Models: m, Base: "./base", Source: "union"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Row{[]Ref{{1, 2}, {2, 2}}}, u.Rows[0][u.IDs["hello"]]); diff != "" {
		t.Error(diff)
	}
}

// Added tokens follow the words of all models, in the models' order whichever is
// the donor, and keep the flags of the first model that has them.
func TestUnionFollowsTheModels(t *testing.T) {
	added := func(content string, lstrip bool) string {
		return fmt.Sprintf(`{"id":9,"content":%q,"lstrip":%t}`, content, lstrip)
	}
	var m []Model
	for _, k := range []struct {
		name, word string
		added      []string
	}{
		{"./first", "p", []string{added("<x>", true), added("<y>", false)}},
		{"./donor", "q", nil},
		{"./last", "r", []string{added("<z>", false), added("<x>", false), added("q", true)}},
	} {
		text := fmt.Sprintf(`{"added_tokens":[%s],"model":{"type":"WordLevel","vocab":{"u":0,%q:1}}}`, strings.Join(k.added, ","), k.word)
		m = append(m, Model{k.name, loaded(t, map[string]string{"tokenizer.json": text}), 5})
	}
	u, err := Unite(Request{Models: m, Base: "./donor", Source: "union"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"u": 0, "q": 1, "p": 2, "r": 3, "<x>": 4, "<y>": 5, "<z>": 6}
	if diff := cmp.Diff(want, u.IDs); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	lstrip := map[string]bool{}
	for _, a := range loadedBytes(t, u.Files).Added() {
		lstrip[a.Text] = a.LStrip
	}
	if diff := cmp.Diff(map[string]bool{"p": false, "r": false, "<x>": true, "<y>": false, "<z>": false, "q": true}, lstrip); diff != "" {
		t.Errorf("lstrip (-want +got)\n%s", diff)
	}
}

func TestUniteIsDeterministic(t *testing.T) {
	var texts []string
	for i := range 300 {
		texts = append(texts, fmt.Sprintf(`"w%d":%d`, i, i))
	}
	many := loaded(t, map[string]string{"tokenizer.json": wordLevel("{" + strings.Join(texts, ",") + "}")})
	req := Request{Models: append(two(t), Model{"./many", many, 300}), Base: "./base", Source: "union"}
	first, err := Unite(req)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := Unite(req)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatal(diff)
		}
	}
	if first.IDs["w0"] != 5 || first.IDs["w299"] != 304 || first.IDs["<|im_start|>"] != 305 {
		t.Errorf("w0 %d, w299 %d, <|im_start|> %d", first.IDs["w0"], first.IDs["w299"], first.IDs["<|im_start|>"])
	}
}

// BenchmarkUnite joins three models of 150,000 tokens each, half of them shared.
func BenchmarkUnite(b *testing.B) {
	dirs := make([]string, 3)
	for k := range dirs {
		var s strings.Builder
		s.WriteString(`{"model":{"type":"BPE","vocab":{"a":0`)
		for i := 1; i < 150000; i++ {
			n := i
			if i%2 == 1 {
				n += k * 1000000
			}
			fmt.Fprintf(&s, ",\n\"Ġtoken%d\":%d", n, i)
		}
		s.WriteString(`},"merges":[]}}`)
		dirs[k] = written(b, map[string]string{"tokenizer.json": s.String()})
	}
	for b.Loop() {
		var models []Model
		for k, dir := range dirs {
			tok, err := Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			models = append(models, Model{fmt.Sprint(k), tok, 152000})
		}
		if _, err := Unite(Request{Models: models, Base: "0", Source: "union"}); err != nil {
			b.Fatal(err)
		}
	}
}
