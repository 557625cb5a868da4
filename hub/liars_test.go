package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/hub/hubtest"
)

// liar serves a model of one file of weights, whose bytes come as the test says.
func liar(t *testing.T, size int, weights http.HandlerFunc) *Client {
	t.Helper()
	whole := tiny()[weightsName]
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":%q,"lfs":{"sha256":%q,"size":%d}}]}`,
			strings.Repeat("c", 40), weightsName, hubtest.Digest(weightsName, whole), size)
	})
	mux.HandleFunc("/org/", weights)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &Client{Cache: t.TempDir(), Endpoint: s.URL, pause: 1}
}

func TestServersThatLie(t *testing.T) {
	whole := tiny()[weightsName]
	partial := func(ranges string, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", ranges)
			w.WriteHeader(http.StatusPartialContent)
			w.Write(b)
		}
	}
	status := func(n int) http.HandlerFunc { return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) } }
	for _, test := range []struct {
		name    string
		size    int
		left    int // bytes of an earlier download
		weights http.HandlerFunc
		is      error
		fetch   string // in the error; empty where it works
		peek    string
	}{
		{name: "more than announced", size: len(whole), weights: func(w http.ResponseWriter, _ *http.Request) { w.Write(append(whole, 0)) },
			is: ErrDamaged, fetch: "sends more than the 120152 bytes"},
		{name: "another range", size: len(whole), left: 100, weights: partial("bytes 0-120151/120152", whole),
			fetch: `asked for the bytes from 100 of 120152 the server sends "bytes 0-120151/120152"`, peek: "asked for the bytes from 8 the server sends"},
		{name: "no range named", size: len(whole), left: 100, weights: partial("", whole), fetch: `the server sends ""`, peek: "asked for the bytes from 0"},
		{name: "a shorter file", size: len(whole), left: 100, weights: status(416), is: ErrDamaged, fetch: "fewer bytes than the Hub announced", peek: "fewer bytes than the Hub announced"},
		{name: "no content", size: len(whole), weights: status(204), fetch: "answered 204 No Content", peek: "asked for the bytes from 0"},
		{name: "forbidden", size: len(whole), weights: status(403), is: ErrAccess, fetch: "HF_TOKEN (none is set) may not read it", peek: "may not read it"},
		{name: "gone since", size: len(whole), weights: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Error-Code", "EntryNotFound")
			w.WriteHeader(404)
		}, is: ErrNotFound, fetch: "no such file", peek: "no such file"},
		{name: "larger than announced by its header", size: 20, weights: func(w http.ResponseWriter, r *http.Request) { w.Write(whole[:20]) },
			is: ErrFormat, peek: "a header of 130 bytes in a file of 20", fetch: "damaged in transit"},
		{name: "in circles", size: len(whole), weights: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
			fetch: "redirected 10 times", peek: "redirected 10 times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := liar(t, test.size, test.weights)
			check := func(what, want string, is error, err error) {
				if want == "" {
					if err != nil {
						t.Errorf("%s: %v", what, err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "org/tiny, model.safetensors: ") {
					t.Errorf("%s: got %v, want %q", what, err, want)
				}
				if is != nil && !errors.Is(err, is) {
					t.Errorf("%s: %v is not %v", what, err, is)
				}
			}
			_, _, err := c.Peek(t.Context(), Ref{ID: id})
			check("peek", test.peek, test.is, err)
			if test.left > 0 {
				leave(t, c, whole[:test.left])
			}
			_, _, err = c.Fetch(t.Context(), Ref{ID: id}, nil)
			is := test.is
			if is == ErrFormat {
				is = ErrDamaged
			}
			check("fetch", test.fetch, is, err)
			if _, err := os.Stat(weightsBlob(c)); err == nil {
				t.Error("the blob is there")
			}
		})
	}
}

// A redirect must not take a request from https to http.
func TestDowngrade(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/x", http.StatusFound)
	}))
	defer s.Close()
	c := &Client{Cache: t.TempDir(), Endpoint: s.URL, pause: 1}
	if _, err := c.Resolve(t.Context(), Ref{ID: id}); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "tried") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	// The client's own transport knows no test certificates; the rule is asked alone.
	endpoint, err := c.endpoint()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"http://" + endpoint.Host + "/x": "redirected from https to http", s.URL + "/x": "", "https://cdn.example/x": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+hubtest.Token)
		text := fmt.Sprint(follow(endpoint)(r, nil))
		if want != "" && text != want || want == "" && text != "<nil>" {
			t.Errorf("%s: got %s, want %q", address, text, want)
		}
		if kept := r.Header.Get("Authorization") != ""; want == "" && kept != strings.HasPrefix(address, s.URL) {
			t.Errorf("%s: the token is kept: %v", address, kept)
		}
	}
}

// A renamed model is redirected within the endpoint, which keeps the token.
func TestRenamed(t *testing.T) {
	var last string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/models/org/tiny/") {
			http.Redirect(w, r, strings.Replace(r.URL.Path, "/org/", "/other/", 1)+"?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return
		}
		last = r.Header.Get("Authorization") + " " + r.URL.String()
		io.WriteString(w, `{"sha":"`+strings.Repeat("d", 40)+`","siblings":[]}`)
	}))
	defer s.Close()
	c := &Client{Cache: t.TempDir(), Endpoint: s.URL}
	c.SetToken(hubtest.Token)
	if commit, err := c.Resolve(t.Context(), Ref{ID: id}); err != nil || commit != strings.Repeat("d", 40) {
		t.Errorf("%s, %v", commit, err)
	}
	if want := "Bearer " + hubtest.Token + " /api/models/other/tiny/revision/main?blobs=true"; last != want {
		t.Errorf("asked %q, want %q", last, want)
	}
}

func TestAdapter(t *testing.T) {
	s := hubtest.New(t)
	files := map[string][]byte{
		"adapter_config.json":       []byte(`{"r":8}`),
		"adapter_model.safetensors": hubtest.Safetensors(map[string][]int{"a.lora_A.weight": {8, 4}}, 1),
		"adapter_model.bin":         []byte("pickle"),
	}
	s.Add(id, files)
	c := client(t, s)
	dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, files, []string{"adapter_config.json", "adapter_model.safetensors"})
	c.Offline = true
	if err := os.RemoveAll(filepath.Join(c.Cache, "models--org--tiny", ".mergevo")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Fetch(context.Background(), Ref{ID: id}, nil); err != nil {
		t.Errorf("offline, as another program leaves it: %v", err)
	}
}
