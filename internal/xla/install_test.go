package xla

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// fakeWheel serves a wheel from a local package index, with a relative address as
// mirrors have, and pins it for this platform.
func fakeWheel(t *testing.T, pinned string) (dir string, hits *int) {
	t.Helper()
	var wheelFile bytes.Buffer
	z := zip.NewWriter(&wheelFile)
	f, err := z.Create("fake/plugin.so")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "not really a plugin"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(wheelFile.Bytes())
	real := hex.EncodeToString(sum[:])
	if pinned == "" {
		pinned = real
	}
	hits = new(int)
	mux := http.NewServeMux()
	mux.HandleFunc("/simple/fake/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"files": [{"filename": "fake.whl", "url": "../../packages/fake.whl", "hashes": {"sha256": %q}}]}`, pinned)
	})
	mux.HandleFunc("/packages/fake.whl", func(w http.ResponseWriter, r *http.Request) {
		*hits++
		_, _ = w.Write(wheelFile.Bytes())
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir = isolated(t)
	t.Setenv("PIP_INDEX_URL", server.URL+"/simple")
	platform := runtime.GOOS + "/" + runtime.GOARCH
	old, had := wheels[platform]
	wheels[platform] = wheel{project: "fake", version: "1", sha256: pinned, member: "fake/plugin.so", size: int64(wheelFile.Len())}
	t.Cleanup(func() {
		delete(wheels, platform)
		if had {
			wheels[platform] = old
		}
	})
	return dir, hits
}

// isolated points every place where plugins are looked for into an empty folder.
func isolated(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "xla")
	t.Setenv("MERGEVO_XLA_DIR", dir)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // no pip
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv("MERGEVO_OFFLINE", "")
	return dir
}

func TestInstall(t *testing.T) {
	dir, hits := fakeWheel(t, "")
	var talk bytes.Buffer
	for range 2 { // the second finds it
		path, err := Install(context.Background(), &talk, nil)
		if err != nil {
			t.Fatal(err)
		}
		if path != filepath.Join(dir, "pjrt_c_api_cpu_1_plugin.so") {
			t.Errorf("installed at %s", path)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "not really a plugin" {
			t.Errorf("holds %q, %v", b, err)
		}
	}
	if *hits != 1 {
		t.Errorf("downloaded %d times", *hits)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".install-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if !strings.Contains(talk.String(), "sha256 of the wheel checked") {
		t.Errorf("said %q", talk.String())
	}
}

func TestInstallRefusesAnotherFile(t *testing.T) {
	dir, _ := fakeWheel(t, strings.Repeat("0", 64))
	_, err := Install(context.Background(), io.Discard, nil)
	if err == nil || !strings.Contains(err.Error(), "nothing was installed") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNothingToInstall(t *testing.T) {
	fakeWheel(t, "")
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
	if _, err := Install(context.Background(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), "pip is not on the path") {
		t.Errorf("got %v", err)
	}
	t.Setenv("MERGEVO_OFFLINE", "1")
	if _, err := Install(context.Background(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), "MERGEVO_OFFLINE") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(context.Background(), "xla:cpu", io.Discard, nil); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
	var talk bytes.Buffer
	b, err := Open(context.Background(), "auto", &talk, nil)
	if err != nil || b.Kind != "go" {
		t.Fatalf("auto opened %v, %v", b, err)
	}
	if strings.Count(talk.String(), "\n") != 1 || !strings.Contains(talk.String(), "using the Go backend") {
		t.Errorf("said %q, want one line", talk.String())
	}
}

// A plugin that does not load is no reason to stop either.
func TestBrokenPlugin(t *testing.T) {
	dir := isolated(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pjrt_c_api_cpu_9_plugin.so")
	if err := os.WriteFile(file, []byte("\x7fELF but no more"), 0o755); err != nil {
		t.Fatal(err)
	}
	var talk bytes.Buffer
	b, err := Open(context.Background(), "auto", &talk, nil)
	if err != nil || b.Kind != "go" || strings.Count(talk.String(), "\n") != 1 {
		t.Errorf("auto opened %v, %v and said %q", b, err, talk.String())
	}
	if _, err := Open(context.Background(), "xla:"+file, io.Discard, nil); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line", err)
	}
}

func TestBackendNames(t *testing.T) {
	for _, name := range []string{"gpu", "xla:", "xla:gpu", "xla:/no/plugin"} {
		if _, err := Open(context.Background(), name, io.Discard, nil); !errors.Is(err, ErrUsage) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Open(context.Background(), "xla:/no/plugin.so", io.Discard, nil); err == nil || errors.Is(err, ErrUsage) {
		t.Errorf("a missing plugin: %v", err)
	}
}
