package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	long := strings.Repeat("a", 96)
	for _, test := range []struct {
		text string
		want Ref // empty where it is none
	}{
		{"org/name", Ref{ID: "org/name"}},
		{"meta-llama/Llama-3.1-8B", Ref{ID: "meta-llama/Llama-3.1-8B"}},
		{"org/name@v1.0", Ref{"org/name", "v1.0"}},
		{"org/name@refs/pr/1", Ref{"org/name", "refs/pr/1"}},
		{"01-ai/Yi_6B", Ref{ID: "01-ai/Yi_6B"}},
		{long + "/" + long, Ref{ID: long + "/" + long}},
		{"gpt2", Ref{}}, {"", Ref{}}, {"/", Ref{}}, {"a/", Ref{}}, {"/a", Ref{}}, {"a/b/c", Ref{}},
		{"./model", Ref{}}, {"../model", Ref{}}, {"a/..", Ref{}}, {"a/b..c", Ref{}}, {"a/b--c", Ref{}}, {"a/-b", Ref{}}, {"a/b-", Ref{}}, {"a/b.", Ref{}},
		{"a/b.git", Ref{}}, {"a b/c", Ref{}}, {"a/b+c/d", Ref{}}, {`a\b`, Ref{}}, {"a/é", Ref{}}, {"a/" + long + "a", Ref{}},
		{"a/b@", Ref{}}, {"a/b@../x", Ref{}}, {"a/b@/x", Ref{}}, {"a/b@x/", Ref{}}, {"a/b@a..b", Ref{}}, {"a/b@x@y", Ref{}}, {"a/b@-x", Ref{}},
	} {
		got, ok := ParseRef(test.text)
		if got != test.want || ok != (test.want != Ref{}) {
			t.Errorf("%q: got %+v, %v; want %+v", test.text, got, ok, test.want)
		}
		if ok && got.String() != test.text {
			t.Errorf("%q is written %q", test.text, got)
		}
	}
}

// Nothing that is read as a reference may lead out of the cache.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"org/name", "org/name@refs/pr/1", "a/..", "a/b@../../x", "a/b@x//y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, ok := ParseRef(s)
		if !ok {
			return
		}
		if ref.String() != s {
			t.Errorf("%q is written %q", s, ref)
		}
		r := repo{cache: "cache", ref: ref}
		if !filepath.IsLocal(r.folder()) || strings.ContainsAny(r.folder(), `/\`) {
			t.Errorf("%q lies in %q", s, r.folder())
		}
		if rel, err := filepath.Rel(filepath.Join(r.dir(), "refs"), r.refFile(ref.revision())); err != nil || !filepath.IsLocal(rel) || rel == "." {
			t.Errorf("%q is pinned in %q", s, rel)
		}
	})
}

// Whatever a server answers, no file of it leaves the cache.
func FuzzAnswer(f *testing.F) {
	sha := strings.Repeat("a", 40)
	f.Add([]byte(`{"sha":"` + sha + `","siblings":[{"rfilename":"a.json","size":1,"blobId":"` + sha + `"}]}`))
	f.Add([]byte(`{"sha":"` + sha + `","siblings":[{"rfilename":"../a.json","lfs":{"sha256":"x","size":-4}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseAnswer(Ref{ID: "a/b"}, b)
		if err != nil {
			return
		}
		if !commitHash.MatchString(l.Commit) {
			t.Errorf("commit %q", l.Commit)
		}
		for _, file := range l.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Name)) || file.Size < -1 || strings.ContainsAny(file.Digest, `/\.`) {
				t.Errorf("%+v", file)
			}
		}
	})
}

func TestCached(t *testing.T) {
	for path, want := range map[string]Ref{
		"/home/u/.cache/huggingface/hub/models--org--name-1.5/snapshots/0123456789abcdef0123456789abcdef01234567": {"org/name-1.5", "0123456789abcdef0123456789abcdef01234567"},
		"models--org--name/snapshots/0123456789abcdef/":                                                           {"org/name", "0123456789abcdef"},
		`C:\hub\models--org--name\snapshots\0123456`:                                                              {"org/name", "0123456"},
		"/hub/models--gpt2/snapshots/0123456":                                                                     {},
		"/hub/models--org--name":                                                                                  {},
		"org/name":                                                                                                {},
		"":                                                                                                        {},
	} {
		if got, ok := Cached(path); got != want || ok != (want != Ref{}) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
