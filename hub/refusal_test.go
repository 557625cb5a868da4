package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/hub/hubtest"
)

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name  string
		id    string
		rev   string
		set   func(*hubtest.Server, *Client)
		is    error
		words []string // all in the message
	}{
		{name: "misspelt", id: "org/tinny", is: ErrAccess, words: []string{"org/tinny: ", "spelling at URL/org/tinny", "HF_TOKEN"}},
		{name: "misspelt, with a token", id: "org/tinny", set: func(_ *hubtest.Server, c *Client) { c.SetToken(hubtest.Token) },
			is: ErrNotFound, words: []string{"no such model for the token in the given token", "spelling"}},
		{name: "no such revision", rev: "v2", is: ErrNotFound, words: []string{`no revision "v2"`, "URL/org/tiny/tree/main"}},
		{name: "private", set: func(s *hubtest.Server, _ *Client) { s.Model(id).Private = true }, is: ErrAccess, words: []string{"private", "URL/settings/tokens"}},
		{name: "a wrong token", set: func(_ *hubtest.Server, c *Client) { c.SetToken("hf_wrong") }, is: ErrAccess, words: []string{"the token in the given token was refused"}},
		{name: "a broken token", set: func(_ *hubtest.Server, c *Client) { c.SetToken("hf_wrong\x00") }, is: ErrAccess, words: []string{"org/tiny: ", "the given token holds a character"}},
		{name: "gated, no token", set: func(s *hubtest.Server, _ *Client) { s.Model(id).Gated = true }, is: ErrAccess, words: []string{"gated", "accept its terms at URL/org/tiny, then set HF_TOKEN"}},
		{name: "gated, not accepted", set: func(s *hubtest.Server, c *Client) { s.Model(id).Gated = true; c.SetToken(hubtest.Token) },
			is: ErrAccess, words: []string{"accept its terms at URL/org/tiny with the account of"}},
		{name: "pickles alone", set: func(s *hubtest.Server, _ *Client) {
			s.Add(id, map[string][]byte{"config.json": nil, "pytorch_model.bin": nil})
		},
			is: ErrFormat, words: []string{"pytorch_model.bin", "refs/pr/1"}},
		{name: "several", set: func(s *hubtest.Server, _ *Client) {
			s.Add(id, map[string][]byte{"a.safetensors": nil, "b.safetensors": nil})
		},
			is: ErrFormat, words: []string{"it holds 2 (a.safetensors, b.safetensors)"}},
		{name: "below", set: func(s *hubtest.Server, _ *Client) { s.Add(id, map[string][]byte{"unet/a.safetensors": nil}) }, is: ErrFormat, words: []string{"unet/a.safetensors"}},
		{name: "nothing", set: func(s *hubtest.Server, _ *Client) { s.Add(id, map[string][]byte{".gitattributes": nil}) }, is: ErrFormat, words: []string{"no weights at all"}},
		{name: "a shard too few", set: func(s *hubtest.Server, _ *Client) {
			s.Add(id, map[string][]byte{"model.safetensors.index.json": []byte(`{"weight_map":{"a":"../../x.safetensors"}}`)})
		}, is: ErrFormat, words: []string{"model.safetensors.index.json", `"../../x.safetensors"`}},
		{name: "a file outside", set: func(s *hubtest.Server, _ *Client) {
			s.Add(id, map[string][]byte{"../x.json": nil, "model.safetensors": nil})
		},
			words: []string{`"../x.json"`, "nothing is fetched"}},
		{name: "a digest that is a path", set: func(s *hubtest.Server, _ *Client) { s.Model(id).Digests["config.json"] = "../../../x" }, words: []string{"config.json", `"../../../x"`}},
		{name: "errors without end", set: func(s *hubtest.Server, _ *Client) { s.Fail(hubtest.Fault{File: "api", Status: 502, Times: 9}) },
			words: []string{"502 Bad Gateway", "(tried 5 times)"}},
		{name: "too many requests", set: func(s *hubtest.Server, _ *Client) {
			s.Fail(hubtest.Fault{File: "api", Status: 429, Header: http.Header{"Retry-After": {"4000"}}})
		}, words: []string{"too many requests", "HF_TOKEN", "1h6m40s"}},
		{name: "teapot", set: func(s *hubtest.Server, _ *Client) { s.Fail(hubtest.Fault{File: "api", Status: 418}) }, words: []string{"418 I'm a teapot"}},
		{name: "storage", set: func(s *hubtest.Server, _ *Client) { s.Fail(hubtest.Fault{File: weightsName, Status: 403, Times: 9}) },
			words: []string{"org/tiny, model.safetensors", "to which the Hub points", "403"}},
		{name: "offline", set: func(_ *hubtest.Server, c *Client) { c.Offline = true }, is: ErrOffline, words: []string{"revision main is not in", "--offline is given; leave it out"}},
		{name: "no address", set: func(_ *hubtest.Server, c *Client) { c.Endpoint = "huggingface.co" }, words: []string{"HF_ENDPOINT"}},
		{name: "no id", id: "../x", words: []string{"../x is no model on the Hub"}},
		{name: "revision outside", rev: "../../x", words: []string{"is no model on the Hub"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := hubtest.New(t)
			s.Add(id, tiny())
			c := client(t, s)
			if test.set != nil {
				test.set(s, c)
			}
			if test.id == "" {
				test.id = id
			}
			ref := Ref{ID: test.id, Revision: test.rev}
			_, _, err := c.Fetch(t.Context(), ref, nil)
			if err == nil {
				t.Fatal("fetched")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			for _, words := range test.words {
				if words = strings.ReplaceAll(words, "URL", s.URL); !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not in the message:\n%v", words, err)
				}
			}
			for _, secret := range []string{hubtest.Token, "hf_wrong", hubtest.Signature} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the message tells a secret: %v", err)
				}
			}
		})
	}
}

// The storage host has another port here; a host of another name is the same case.
func TestSecretsInConnectionErrors(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, gone.URL+"/x?X-Amz-Signature="+hubtest.Signature, http.StatusFound)
	}))
	defer s.Close()
	c := &Client{Cache: t.TempDir(), Endpoint: s.URL, pause: 1}
	c.SetToken(hubtest.Token)
	_, err := c.Resolve(t.Context(), Ref{ID: id})
	if err == nil || strings.Contains(err.Error(), hubtest.Signature) || strings.Contains(err.Error(), hubtest.Token) {
		t.Errorf("got %v", err)
	}
	if text := fmt.Sprintf("%v", err); !strings.HasPrefix(text, "org/tiny: ") {
		t.Errorf("the message does not name the model: %s", text)
	}
}

func TestNotTheHub(t *testing.T) {
	for _, answer := range []string{"<html>", `{"sha":"main"}`, "[]", `{"sha":7}`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		c := &Client{Cache: t.TempDir(), Endpoint: s.URL}
		if _, err := c.Resolve(t.Context(), Ref{ID: id}); err == nil || !strings.Contains(err.Error(), "check HF_ENDPOINT") {
			t.Errorf("%s: got %v", answer, err)
		}
		if e, err := os.ReadDir(c.Cache); err != nil || len(e) > 0 {
			t.Errorf("Resolve wrote to the cache: %v, %v", e, err)
		}
		s.Close()
	}
}
