package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mergevo/mergevo/hub/hubtest"
	"github.com/mergevo/mergevo/tensors"
)

// large is a model of 8 MB whose headers and configs take less than one kilobyte.
func large() map[string][]byte {
	return map[string][]byte{
		"config.json":                      []byte(`{"model_type":"llama"}`),
		"model.safetensors.index.json":     []byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`),
		"model-00001-of-00002.safetensors": hubtest.Safetensors(map[string][]int{"a": {2000, 1000}}, 1),
		"model-00002-of-00002.safetensors": hubtest.Safetensors(map[string][]int{"b": {1000, 2000}}, 1),
	}
}

func shapes(t *testing.T, dir string) map[string][]int {
	t.Helper()
	m, err := tensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	all := map[string][]int{}
	for _, info := range m.Tensors() {
		all[info.Name] = info.Shape
	}
	return all
}

func TestPeek(t *testing.T) {
	s := hubtest.New(t)
	commit := s.Add(id, large())
	c := client(t, s)
	dir, got, err := c.Peek(t.Context(), Ref{ID: id})
	if err != nil || got != commit {
		t.Fatalf("%s, %v", got, err)
	}
	if n := s.Sent(); n > 4000 {
		t.Errorf("a peek moved %d bytes", n)
	}
	want := map[string][]int{"a": {2000, 1000}, "b": {1000, 2000}}
	if diff := cmp.Diff(want, shapes(t, dir)); diff != "" {
		t.Error(diff)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || string(b) != string(large()["config.json"]) {
		t.Errorf("config.json is %q, %v", b, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "config.json")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("config.json is %v, %v", info.Mode(), err)
	}

	// A second peek asks nothing, with and without the network.
	s.Forget()
	for _, c.Offline = range []bool{false, true} {
		again, _, err := c.Peek(t.Context(), Ref{ID: id})
		if err != nil || again != dir || len(s.Requests()) > 0 {
			t.Errorf("offline %v: %s, %v, %d requests", c.Offline, again, err, len(s.Requests()))
		}
	}
	if _, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors are not in") {
		t.Errorf("offline and never fetched: %v", err)
	}

	// A fetch takes the configs over; then the peek is the real thing.
	c.Offline = false
	whole, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(asked(s, "config.json")); n != 0 {
		t.Error("config.json was fetched again")
	}
	c.Offline = true
	if dir, _, err = c.Peek(t.Context(), Ref{ID: id}); err != nil || dir != whole {
		t.Errorf("after a fetch: %s, %v", dir, err)
	}
}

func TestPeekWithoutRanges(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, large())
	s.NoRanges = true
	dir, _, err := client(t, s).Peek(t.Context(), Ref{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]int{"a": {2000, 1000}, "b": {1000, 2000}}, shapes(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// What is at hand is not fetched: one shard came before the fetch was killed.
func TestPeekHalfFetched(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, large())
	c := client(t, s)
	s.Fail(hubtest.Fault{File: "model-00002-of-00002.safetensors", Status: 418})
	s.Fail(hubtest.Fault{File: "model-00002-of-00002.safetensors", Status: 403, Times: 9})
	if _, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil); err == nil {
		t.Fatal("fetched")
	}
	s.Forget()
	dir, _, err := c.Peek(t.Context(), Ref{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Sent(); n > 4000 {
		t.Errorf("a peek moved %d bytes", n)
	}
	shapes(t, dir)
	if strings.Contains(dir, "snapshots") {
		t.Errorf("a peek of half a model is %s", dir)
	}
}

func TestPeekDamagedHeader(t *testing.T) {
	for name, b := range map[string]string{
		"short":       "abc",
		"long header": "\xff\xff\xff\xff\xff\xff\xff\x7f{}",
		"a pointer":   "version https://git-lfs.github.com/spec/v1\n",
		"not JSON":    "\x04\x00\x00\x00\x00\x00\x00\x00{]  ",
	} {
		t.Run(name, func(t *testing.T) {
			s := hubtest.New(t)
			s.Add(id, map[string][]byte{"config.json": []byte("{}"), weightsName: []byte(b)})
			c := client(t, s)
			_, _, err := c.Peek(t.Context(), Ref{ID: id})
			if !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), "org/tiny, model.safetensors: ") || strings.Contains(err.Error(), c.Cache) {
				t.Errorf("got %v", err)
			}
			left, err := filepath.Glob(filepath.Join(c.Cache, "models--org--tiny", ".mergevo", "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}
