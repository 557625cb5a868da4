package tensors_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

func digest(t *testing.T, path string) string {
	t.Helper()
	d, err := open(t, path).Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Recipes pin digests, so this one may never change. It was computed apart, by
// a few lines of Python.
const modelDigest = "sha256:d7136430518b46d62b577670427b8acd127576a151c1d23a42c5b504ccaf686e"

func TestDigestIsOfContent(t *testing.T) {
	dir := t.TempDir()
	reversed := slices.Clone(model)
	slices.Reverse(reversed)
	write(t, filepath.Join(dir, "one"), model, tensors.Options{})
	write(t, filepath.Join(dir, "shards"), reversed, tensors.Options{ShardSize: 16, Metadata: map[string]string{"a": "b"}})
	write(t, "", model, tensors.Options{Single: filepath.Join(dir, "single.safetensors")})
	want := digest(t, filepath.Join(dir, "one"))
	if want != modelDigest {
		t.Errorf("digest is %s", want)
	}
	for _, name := range []string{"shards", "single.safetensors"} {
		if got := digest(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name, change := range map[string]func(l []tensors.Info){
		"name":  func(l []tensors.Info) { l[0].Name = "a.f33" },
		"dtype": func(l []tensors.Info) { l[0].DType = tensors.I32 },
		"shape": func(l []tensors.Info) { l[0].Shape = []int{3, 2} },
	} {
		layout := slices.Clone(model)
		change(layout)
		write(t, filepath.Join(dir, name), layout, tensors.Options{})
		if got := digest(t, filepath.Join(dir, name)); got == want {
			t.Errorf("another %s has the same digest", name)
		}
	}
}

func TestDigestCancelled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	write(t, dir, model, tensors.Options{})
	c := open(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Digest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if d, err := c.Digest(context.Background()); err != nil || !strings.HasPrefix(d, "sha256:") {
		t.Errorf("afterwards: %s, %v", d, err)
	}
}
