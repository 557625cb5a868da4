package modeldir_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/modeldir"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
}

// front returns a card's front matter as YAML readers see it.
func front(t *testing.T, card []byte) map[string]any {
	t.Helper()
	text, ok := bytes.CutPrefix(card, []byte("---\n"))
	inner, _, found := bytes.Cut(text, []byte("\n---\n"))
	if !ok || !found {
		t.Fatalf("no front matter in %q", card)
	}
	var m map[string]any
	if err := yaml.Unmarshal(inner, &m); err != nil {
		t.Fatalf("%v in %q", err, inner)
	}
	return m
}

func TestCardHub(t *testing.T) {
	apache := modeldir.Statement{License: "apache-2.0"}
	card := modeldir.Card(modeldir.CardInput{
		Title: "Tiny-TIES", Transformers: true, Version: "0.2.0",
		Method: "ties", Doc: "Trims each difference to its largest elements, elects a sign, averages those that agree.",
		Cite: "Yadav et al., TIES-Merging, 2023, https://arxiv.org/abs/2306.01708",
		Parents: []modeldir.Parent{
			{Name: "org/base", Hub: "org/base", Base: true, States: apache, Digest: "sha256:00ff"},
			{Name: "org/math@v1.0", Hub: "org/math@v1.0", States: apache},
			{Name: "/cache/models--other--code/snapshots/0123abc", Hub: "other/code@0123abc+org/lora", States: apache},
		},
		Recipe: []byte("mergevo: 1\nmerge_method: ties\nbase_model: org/base\nmodels:\n  - model: org/math@v1.0\n    parameters:\n      weight: 0.6\n  - model: /cache/models--other--code/snapshots/0123abc\n    parameters:\n      weight: [0.1, 0.5]\ndtype: bfloat16\nprovenance:\n  run: /home/me/runs/1\n"),
		Args:   []string{"--as-mergekit"},
		Scores: &modeldir.Table{
			Note: "Mean score in %, with 95 % intervals.", Columns: []string{"held out", "rot90"},
			Rows: []modeldir.Row{{"org/base", []string{"49.02 ± 0.66", "9.38"}}, {"found", []string{"73.34 ± 1.07", "412/500"}}, {"a|b", nil}},
		},
	})
	golden(t, "hub.md", card)
	want := map[string]any{
		"base_model": []any{"org/base", "org/math", "other/code", "org/lora"}, "base_model_relation": "merge", "license": "apache-2.0",
		"library_name": "transformers", "tags": []any{"mergevo", "merge"},
	}
	if diff := cmp.Diff(want, front(t, card)); diff != "" {
		t.Error(diff)
	}
	// What we write, we read.
	s := modeldir.ParseStatement(card)
	if s.License != "apache-2.0" || len(s.BaseModels) != 4 || len(s.Tags) != 2 {
		t.Errorf("read back as %+v", s)
	}
}

func TestCardLocal(t *testing.T) {
	card := modeldir.Card(modeldir.CardInput{
		Method: "linear", Doc: "A weighted mean.", Version: "0.2.0",
		Parents: []modeldir.Parent{{Name: "base", Base: true}, {Name: "../math"}},
		Recipe:  []byte("mergevo: 1\nmerge_method: linear\nbase_model: base\nmodels:\n  - model: ../math\n    parameters: {weight: 1}\n  - model: base\ntokenizer_source: base\n"),
	})
	golden(t, "local.md", card)
}

// No spelling of a path, and no folder's name, gets into a card, wherever it comes
// from.
func TestCardHidesPaths(t *testing.T) {
	for _, path := range []string{
		"/home/secret/models/secret-base", "./secret", "../secret", "../../a/secret", "secret", "models/secret", "a/b/secret/", "secret.safetensors", "/secret",
		"~/secret", "~secret/x", "~secret", `C:\Users\secret\model`, `C:secret`, `C:/secret/x`, `\\secret\share`, `models\secret`, "file:///home/secret", "/home/my secret/the secret",
		`C:\My secret\x y secret`, "/home/sécret/secret", "2024/secret", "./sec ret/secret", "secret's", `sec"ret/secret`, "secret: yes/x", "secret #1/x", "{secret}/x", "-secret/x", "secret@x/y", "secret+secret/x",
	} {
		t.Run(path, func(t *testing.T) {
			spelt := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
			plain := path
			if strings.ContainsAny(path, `"'#:{ -`) || strings.HasPrefix(path, "~") && len(path) < 2 {
				plain = spelt
			}
			in := modeldir.CardInput{
				Title: path, Version: "1", Method: "ties",
				Parents: []modeldir.Parent{
					{Name: path, Base: true, Digest: "sha256:" + path, States: modeldir.Statement{License: path, LicenseName: path, LicenseLink: path, BaseModels: []string{path}}},
					{Name: path + "/2", Hub: path + "/2/x", States: modeldir.Statement{License: "other", LicenseName: "x", LicenseLink: path}},
					{Name: "org/ok", Hub: "org/ok", States: modeldir.Statement{License: "other", LicenseName: "x", LicenseLink: "/" + path}},
				},
				Recipe: []byte("merge_method: ties # from " + path + "\nname: run\nbase_model: " + plain + "\nmodels:\n  - model: " + spelt + "\n    parameters: {weight: 1}\n" +
					"  - model: unlisted-secret\n  - model: 2024\n  - {model: org/ok, parameters: {weight: [1, 2]}}\n  - model: 'x/" + strings.ReplaceAll(path, "'", "''") + "'\ntokenizer: {source: " + spelt + ", tokens: {\"</s>\": {source: {kind: model_token, model: " + spelt + ", token: \"</s>\"}}}}\n" +
					"search:\n  tasks:\n  - data: " + spelt + "\n\n  # " + path + "\nprovenance:\n  sources: {" + spelt + ": \"sha256:0\"}\n"),
				Args: []string{"--model", path + "=x/" + path, "--dir=" + path, path},
				Scores: &modeldir.Table{Note: "scored on " + path + "/x", Columns: []string{"a"},
					Rows: []modeldir.Row{{path, []string{"/" + path}}, {"x/" + path, nil}, {"secret", nil}}},
			}
			if !strings.ContainsAny(path, `/\:~`) {
				// A bare word is a title that somebody chose.
				in.Title, in.Args[3], in.Parents[0].States = "", "x", modeldir.Statement{}
				in.Parents[1].States, in.Parents[2].States = modeldir.Statement{}, modeldir.Statement{}
			}
			if in.Scores.Rows[2].Name != path && !strings.HasSuffix(strings.TrimRight(path, "/"), "/secret") {
				in.Scores.Rows = in.Scores.Rows[:2]
			}
			card := modeldir.Card(in)
			for _, word := range []string{"secret", "sécret", "home", "Users", "cret/"} {
				if bytes.Contains(card, []byte(word)) {
					t.Errorf("%q in\n%s", word, card)
				}
			}
			if !bytes.Contains(card, []byte("local model 1")) || !bytes.Contains(card, []byte("model: org/ok")) {
				t.Errorf("the models are not in\n%s", card)
			}
			if !bytes.Contains(card, []byte(`token: "</s>"`)) || bytes.Contains(card, []byte("2024")) {
				t.Errorf("tokens or a folder of digits in\n%s", card)
			}
			if ids := front(t, card)["base_model"]; cmp.Diff([]any{"org/ok"}, ids) != "" {
				t.Errorf("base_model %v", ids)
			}
		})
	}
}

// A recipe whose text cannot be followed is left out, and so is an empty one.
func TestCardOddRecipe(t *testing.T) {
	for _, recipe := range []string{
		"", "search: {}\n", "x: &a ./secret\ny: *a\n", "model: |\n  /home/secret\n", "model: >\n  /home/secret\n", "model: !!str /home/secret\n", "model: \"/home/secret\n",
	} {
		card := modeldir.Card(modeldir.CardInput{Recipe: []byte(recipe), Parents: []modeldir.Parent{{Name: "secret"}}})
		if bytes.Contains(card, []byte("## Recipe")) || bytes.Contains(card, []byte("secret")) {
			t.Errorf("%q gives\n%s", recipe, card)
		}
	}
	// A template that holds a fence does not end it.
	card := modeldir.Card(modeldir.CardInput{Recipe: []byte("chat_template: \"{{ '```' }}\"\n")})
	if !bytes.Contains(card, []byte("````yaml\nchat_template: \"{{ '```' }}\"\n````\n")) {
		t.Errorf("fence in\n%s", card)
	}
}

func TestCardLicence(t *testing.T) {
	type s = modeldir.Statement
	for _, test := range []struct {
		name    string
		parents []modeldir.Parent
		want    map[string]any
		says    string
	}{
		{"none", []modeldir.Parent{{}, {}}, nil, "licence: not stated"},
		{"one silent", []modeldir.Parent{{States: s{License: "mit"}}, {}}, nil, "do not state one licence"},
		{"two", []modeldir.Parent{{States: s{License: "mit"}}, {States: s{License: "apache-2.0"}}}, nil, "do not state one licence"},
		{"agreed", []modeldir.Parent{{States: s{License: "mit"}}, {States: s{License: "mit"}}}, map[string]any{"license": "mit"}, "licence: mit"},
		{"a word of YAML", []modeldir.Parent{{States: s{License: "no"}}}, map[string]any{"license": "no"}, "licence: no"},
		{"named", []modeldir.Parent{
			{States: s{License: "other", LicenseName: "qwen", LicenseLink: "LICENSE"}},
			{Hub: "org/a", States: s{License: "other", LicenseName: "qwen", LicenseLink: "LICENSE"}},
		}, map[string]any{"license": "other", "license_name": "qwen", "license_link": "https://huggingface.co/org/a/blob/main/LICENSE"}, "licence: other (qwen)"},
		{"first link", []modeldir.Parent{
			{Hub: "org/a", States: s{License: "other", LicenseName: "q", LicenseLink: "LICENSE"}},
			{Hub: "org/b", States: s{License: "other", LicenseName: "q", LicenseLink: "LICENSE.md"}},
		}, map[string]any{"license": "other", "license_name": "q", "license_link": "https://huggingface.co/org/a/blob/main/LICENSE"}, ""},
		{"linked", []modeldir.Parent{{States: s{License: "other", LicenseName: "q", LicenseLink: "https://example.org/l?x=1#y"}}},
			map[string]any{"license": "other", "license_name": "q", "license_link": "https://example.org/l?x=1#y"}, ""},
		{"other names", []modeldir.Parent{{States: s{License: "other", LicenseName: "qwen"}}, {States: s{License: "other", LicenseName: "gemma"}}}, nil, "do not state one"},
		{"no parents", nil, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			card := modeldir.Card(modeldir.CardInput{Parents: test.parents})
			got := front(t, card)
			for _, key := range []string{"license", "license_name", "license_link"} {
				if got[key] != test.want[key] {
					t.Errorf("%s: %v, want %v", key, got[key], test.want[key])
				}
			}
			if !bytes.Contains(card, []byte(test.says)) {
				t.Errorf("%q is not in\n%s", test.says, card)
			}
			if _, ok := got["library_name"]; ok {
				t.Error("library_name without a config.json")
			}
		})
	}
}

func TestCardNotOnHub(t *testing.T) {
	for _, ref := range []string{"a..b/c", "a--b/c", "/a/b", "./a", "../a", "a/b/c", "a/b@", "a/b@../x", "a/b@/x", "a/b+./lora", "gpt2", "a/.b", "a b/c", "a/b\n", `a\b`, "~a/b"} {
		card := modeldir.Card(modeldir.CardInput{Parents: []modeldir.Parent{{Name: "x", Hub: ref}}})
		if ids, ok := front(t, card)["base_model"]; ok || !bytes.Contains(card, []byte("- local model 1;")) {
			t.Errorf("%q gives %v and\n%s", ref, ids, card)
		}
	}
}
