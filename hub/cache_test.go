package hub

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/hub/hubtest"
)

// plant makes a cache as huggingface_hub leaves it: no list of files, refs and
// links alone.
func plant(t *testing.T, c *Client, commit string, files map[string][]byte) {
	t.Helper()
	dir := filepath.Join(c.Cache, "models--org--tiny")
	put := func(path string, b []byte) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dir, "refs", "main"), []byte(commit))
	for name, b := range files {
		digest := hubtest.Digest(name, b)
		put(filepath.Join(dir, "blobs", digest), b)
		link := filepath.Join(dir, "snapshots", commit, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..", "..", "blobs", digest), link); err != nil {
			t.Skip("links are not allowed here: ", err)
		}
	}
}

func some(names ...string) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range names {
		files[name] = tiny()[name]
	}
	return files
}

func TestOthersCache(t *testing.T) {
	s := hubtest.New(t)
	commit := s.Add(id, tiny())

	t.Run("offline", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json", weightsName))
		c.Offline = true
		for _, get := range []func() (string, string, error){
			func() (string, string, error) { return c.Fetch(t.Context(), Ref{ID: id}, nil) },
			func() (string, string, error) { return c.Peek(t.Context(), Ref{ID: id}) },
			func() (string, string, error) { return c.Fetch(t.Context(), Ref{ID: id, Revision: commit}, nil) },
		} {
			if dir, got, err := get(); err != nil || got != commit || dir != filepath.Join(c.Cache, "models--org--tiny", "snapshots", commit) {
				t.Errorf("%s, %s, %v", dir, got, err)
			}
		}
	})
	t.Run("offline and incomplete", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json"))
		c.Offline = true
		if _, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err == nil || !strings.Contains(err.Error(), commit+" is not complete") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is missing is added", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json", weightsName))
		s.Forget()
		dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hold(t, dir, tiny(), wanted)
		if len(asked(s, weightsName))+len(asked(s, "config.json")) > 0 {
			t.Error("what the cache has was fetched")
		}
	})
	t.Run("of an older commit", func(t *testing.T) {
		c := client(t, s)
		older := strings.Repeat("0", 40)
		plant(t, c, older, some("config.json", weightsName))
		if _, got, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err != nil || got != older {
			t.Errorf("a commit that the Hub lost: %s, %v", got, err)
		}
		s.Forget()
		dir, got, err := c.Fetch(t.Context(), Ref{ID: id, Revision: commit}, nil)
		if err != nil || got != commit {
			t.Fatalf("%s, %v", got, err)
		}
		hold(t, dir, tiny(), wanted)
		if len(asked(s, weightsName)) > 0 {
			t.Error("the weights, which both commits share, were fetched again")
		}
	})
	t.Run("no network", func(t *testing.T) {
		gone := httptest.NewServer(nil)
		gone.Close()
		c := client(t, s)
		c.Endpoint = gone.URL
		plant(t, c, commit, some("config.json", weightsName))
		if _, got, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err != nil || got != commit {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("the Hub is down", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json", weightsName))
		s.Forget()
		s.Fail(hubtest.Fault{File: "api", Status: http.StatusBadGateway, Times: 9})
		if _, got, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err != nil || got != commit || len(s.Requests()) != 1 {
			t.Errorf("%s, %v, after %d requests, want 1", got, err, len(s.Requests()))
		}
		s.Forget()
	})
	t.Run("cut short", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json", weightsName))
		if err := os.Truncate(weightsBlob(c), 1000); err != nil {
			t.Fatal(err)
		}
		dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hold(t, dir, tiny(), wanted)
	})
	t.Run("a broken link", func(t *testing.T) {
		c := client(t, s)
		plant(t, c, commit, some("config.json", weightsName))
		if err := os.Remove(weightsBlob(c)); err != nil {
			t.Fatal(err)
		}
		dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hold(t, dir, tiny(), wanted)
	})
}

// A cache may belong to somebody else. Root may write all the same, so a file
// stands where the folder would be made.
func TestCacheThatCannotBeWritten(t *testing.T) {
	s := hubtest.New(t)
	commit := s.Add(id, some("config.json", weightsName))
	c := client(t, s)
	plant(t, c, commit, some("config.json", weightsName))
	if err := os.WriteFile(filepath.Join(c.Cache, "models--org--tiny", ".mergevo"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, got, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err != nil || got != commit {
			t.Errorf("%s, %v", got, err)
		}
	}
}
