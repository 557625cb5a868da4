package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mergevo/mergevo/hub/hubtest"
	"github.com/mergevo/mergevo/tensors"
)

const id = "org/tiny"

// tiny is a model with one of everything: what is fetched, and what never is.
func tiny() map[string][]byte {
	return map[string][]byte{
		"config.json":                         []byte(`{"model_type":"llama"}`),
		"tokenizer.json":                      []byte(`{}`),
		"generation_config.json":              []byte(`{}`), // the same blob
		"tokenizer.model":                     []byte("pieces"),
		"empty.json":                          {},
		"README.md":                           []byte("# Tiny\n"),
		"model.safetensors":                   hubtest.Safetensors(map[string][]int{"a": {300, 200}, "b": {7}}, 1),
		"additional_chat_templates/rag.jinja": []byte("{{ x }}"),

		"consolidated.safetensors": hubtest.Safetensors(map[string][]int{"a": {300, 200}}, 2),
		"pytorch_model.bin":        []byte("pickle"),
		"modeling.py":              []byte("import os"),
		"onnx/config.json":         []byte("{}"),
	}
}

var wanted = []string{"README.md", "additional_chat_templates/rag.jinja", "config.json", "empty.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer.model"}

// client is one that waits little and knows nothing of the environment.
func client(t *testing.T, s *hubtest.Server) *Client {
	t.Helper()
	return &Client{Cache: filepath.Join(t.TempDir(), "hub"), Endpoint: s.URL, pause: time.Millisecond, Stall: 20 * time.Second}
}

// hold checks that the folder holds exactly the files, with what the model has.
func hold(t *testing.T, dir string, files map[string][]byte, names []string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		got = append(got, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, names) {
		t.Fatalf("the folder holds %q, want %q", got, names)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || string(b) != string(files[name]) {
			t.Fatalf("%s differs (%v)", name, err)
		}
	}
}

// asked returns the ranges of the requests for the bytes of a file.
func asked(s *hubtest.Server, file string) (ranges []string) {
	for _, r := range s.Requests() {
		if r.File == file && r.Method == "GET" && r.Status != 302 {
			ranges = append(ranges, r.Range)
		}
	}
	return ranges
}

func TestFetch(t *testing.T) {
	s := hubtest.New(t)
	commit := s.Add(id, tiny())
	c := client(t, s)
	c.SetToken(hubtest.Token)
	var done, total int64
	dir, got, err := c.Fetch(t.Context(), Ref{ID: id}, func(_ string, d, n int64) {
		if d < done || n < total || d > n {
			t.Errorf("progress went from %d of %d to %d of %d", done, total, d, n)
		}
		done, total = d, n
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(c.Cache, "models--org--tiny", "snapshots", commit); dir != want || got != commit {
		t.Fatalf("got %s at %s, want %s at %s", dir, got, want, commit)
	}
	hold(t, dir, tiny(), wanted)
	if done != total || done == 0 {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	for _, r := range s.Requests() {
		if want := map[string]string{"hub": "Bearer " + hubtest.Token, "storage": ""}[r.Host]; r.Authorization != want {
			t.Errorf("%s %s got the header %q, want %q", r.Host, r.Path, r.Authorization, want)
		}
		if strings.HasSuffix(r.File, ".bin") || strings.HasSuffix(r.File, ".py") {
			t.Errorf("%s was asked for", r.File)
		}
	}
	b, err := os.ReadFile(filepath.Join(c.Cache, "models--org--tiny", "refs", "main"))
	if err != nil || string(b) != commit {
		t.Errorf("refs/main is %q (%v), want %s", b, err, commit)
	}
	link, err := os.Readlink(filepath.Join(dir, "additional_chat_templates", "rag.jinja"))
	if want := "../../../blobs/" + hubtest.Digest("rag.jinja", tiny()["additional_chat_templates/rag.jinja"]); err != nil || filepath.ToSlash(link) != want {
		t.Errorf("the link leads to %q (%v), want %q", link, err, want)
	}

	// A branch stays where it was first seen, and nothing is asked again.
	s.Add(id, map[string][]byte{"config.json": []byte("{}")})
	s.Forget()
	for _, c.Offline = range []bool{false, true} {
		if _, again, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err != nil || again != commit {
			t.Errorf("the second time, offline %v: %s, %v", c.Offline, again, err)
		}
	}
	if _, again, err := c.Fetch(t.Context(), Ref{ID: id, Revision: commit}, nil); err != nil || again != commit {
		t.Errorf("by its commit: %s, %v", again, err)
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests for what the cache has", n)
	}
}

func TestFetchShards(t *testing.T) {
	s := hubtest.New(t)
	files := map[string][]byte{
		"config.json":                      []byte("{}"),
		"model.safetensors.index.json":     []byte(`{"metadata":{},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`),
		"model-00001-of-00002.safetensors": hubtest.Safetensors(map[string][]int{"a": {4}}, 1),
		"model-00002-of-00002.safetensors": hubtest.Safetensors(map[string][]int{"b": {4}}, 2),
		"consolidated.safetensors":         hubtest.Safetensors(map[string][]int{"a": {4}}, 3),
	}
	s.Add(id, files)
	c := client(t, s)
	s.Bare = true // digests and sizes are then asked for one by one
	dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, files, []string{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"})
	if n := len(asked(s, "consolidated.safetensors")); n != 0 {
		t.Errorf("a second copy of the weights was fetched")
	}
}

func TestFetchRevision(t *testing.T) {
	s := hubtest.New(t)
	old := s.Add(id, tiny())
	s.Model(id).Name("refs/pr/1", old)
	s.Add(id, map[string][]byte{"pytorch_model.bin": nil})
	c := client(t, s)
	dir, commit, err := c.Fetch(t.Context(), Ref{ID: id, Revision: "refs/pr/1"}, nil)
	if err != nil || commit != old {
		t.Fatalf("%s, %v", commit, err)
	}
	hold(t, dir, tiny(), wanted)
	if b, err := os.ReadFile(filepath.Join(c.Cache, "models--org--tiny", "refs", "refs", "pr", "1")); err != nil || string(b) != old {
		t.Errorf("the revision is not pinned: %q, %v", b, err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, tiny())
	c := client(t, s)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			one := *c
			dir, _, err := one.Fetch(t.Context(), Ref{ID: id}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			m, err := tensors.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			m.Close()
		})
	}
	wait.Wait()
	if n := len(asked(s, "model.safetensors")); n != 1 {
		t.Errorf("the weights were fetched %d times", n)
	}
}

func TestSpace(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, tiny())
	c := client(t, s)
	c.free = func(string) (uint64, bool) { return 100_000, true }
	_, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	var small *SpaceError
	if !errors.As(err, &small) || small.Need != int64(len(tiny()["model.safetensors"])) || small.Free != 100_000 {
		t.Fatalf("got %v, want a SpaceError", err)
	}
	if n := len(asked(s, "model.safetensors")); n != 0 {
		t.Error("the weights were asked for all the same")
	}
}

func TestCancel(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, tiny())
	c := client(t, s)
	s.Fail(hubtest.Fault{File: "model.safetensors", Cut: 50_000, Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := c.Fetch(ctx, Ref{ID: id}, func(file string, _, _ int64) {
		if file == "model.safetensors" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the end of the context", err)
	}
	s.Forget()
	dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, tiny(), wanted)
	for _, r := range s.Requests() {
		if r.Sent == int64(len(tiny()["model.safetensors"])) {
			t.Errorf("the second fetch asked for all of %s, not for the rest", r.File)
		}
	}
}
