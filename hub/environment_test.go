package hub

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mergevo/mergevo/hub/hubtest"
)

// clean takes the machine's own settings away for a test.
func clean(t *testing.T) (dir string) {
	t.Helper()
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
		"HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv(name, "")
	}
	dir = t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	return dir
}

func TestEnvironment(t *testing.T) {
	type want struct {
		cache, token, endpoint, offlineBy string
	}
	for _, test := range []struct {
		name  string
		set   map[string]string
		files map[string]string
		want  want
	}{
		{"nothing", nil, nil, want{cache: "~/.cache/huggingface/hub"}},
		{"XDG", map[string]string{"XDG_CACHE_HOME": "~/x"}, map[string]string{"x/huggingface/token": "hf_a\n"}, want{cache: "~/x/huggingface/hub", token: "hf_a"}},
		{"HF_HOME over XDG", map[string]string{"XDG_CACHE_HOME": "~/x", "HF_HOME": "~/h"}, map[string]string{"h/token": "hf_b"}, want{cache: "~/h/hub", token: "hf_b"}},
		{"HF_HUB_CACHE over HF_HOME", map[string]string{"HF_HUB_CACHE": "~/c", "HF_HOME": "~/h"}, nil, want{cache: "~/c"}},
		{"HF_TOKEN over the file", map[string]string{"HF_TOKEN": " hf_c\r\n", "HF_HOME": "~/h"}, map[string]string{"h/token": "hf_b"}, want{cache: "~/h/hub", token: "hf_c"}},
		{"HF_TOKEN_PATH", map[string]string{"HF_TOKEN_PATH": "~/t"}, map[string]string{"t": "hf_d"}, want{cache: "~/.cache/huggingface/hub", token: "hf_d"}},
		{"no implicit token", map[string]string{"HF_TOKEN_PATH": "~/t", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, map[string]string{"t": "hf_d"}, want{cache: "~/.cache/huggingface/hub"}},
		{"endpoint", map[string]string{"HF_ENDPOINT": "https://mirror.example/"}, nil, want{cache: "~/.cache/huggingface/hub", endpoint: "https://mirror.example"}},
		{"offline", map[string]string{"HF_HUB_OFFLINE": "yes"}, nil, want{cache: "~/.cache/huggingface/hub", offlineBy: "HF_HUB_OFFLINE is set"}},
		{"not offline", map[string]string{"HF_HUB_OFFLINE": "0"}, nil, want{cache: "~/.cache/huggingface/hub"}},
		{"transformers", map[string]string{"TRANSFORMERS_OFFLINE": "1"}, nil, want{cache: "~/.cache/huggingface/hub", offlineBy: "TRANSFORMERS_OFFLINE is set"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := clean(t)
			for name, value := range test.set {
				t.Setenv(name, value)
			}
			for name, text := range test.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := FromEnvironment()
			test.want.cache = filepath.Join(dir, filepath.FromSlash(test.want.cache[2:]))
			if got := (want{c.Cache, c.token, c.Endpoint, c.offlineBy}); got != test.want || c.Offline != (test.want.offlineBy != "") {
				t.Errorf("got %+v (offline %v), want %+v", got, c.Offline, test.want)
			}
		})
	}
}

func TestFetchFromEnvironment(t *testing.T) {
	dir := clean(t)
	s := hubtest.New(t)
	s.Add(id, tiny())
	s.Model(id).Gated, s.Model(id).Accepted = true, true
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_TOKEN", hubtest.Token)
	got, commit, err := FromEnvironment().Fetch(t.Context(), Ref{ID: id}, nil)
	if want := filepath.Join(dir, ".cache/huggingface/hub/models--org--tiny/snapshots", commit); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}
