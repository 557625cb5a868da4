package view_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

func TestRename(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m.safetensors"), random("layers.0.w", tensors.BF16, 2, 3), random("layers.1.w", tensors.F32, 4))
	names := map[string]string{"layers.0.w": "layers.1.w", "layers.1.w": "layers.0.w", "layers.2.w": "layers.0.w"}
	v, err := view.Rename(base, "slices", names)
	if err != nil {
		t.Fatal(err)
	}
	names["layers.3.w"] = "layers.0.w" // the view has its own copy
	if got := len(v.Tensors()); got != 3 || v.Path() != "slices" {
		t.Errorf("%d tensors in %s", got, v.Path())
	}
	for name, from := range map[string]string{"layers.0.w": "layers.1.w", "layers.1.w": "layers.0.w", "layers.2.w": "layers.0.w"} {
		if !near(numbers(t, v, name), numbers(t, base, from), 0) {
			t.Errorf("%s is not %s", name, from)
		}
	}
	if info, _ := v.Lookup("layers.2.w"); info.Name != "layers.2.w" || info.DType != tensors.BF16 {
		t.Errorf("layers.2.w is %v", info)
	}

	_, err = view.Rename(base, "slices", map[string]string{"a": "layers.7.w", "b": "layers.0.w", "layers.9.w": "layers.9.w", "": "layers.0.w"})
	mention(t, err, base.Path(), `"layers.7.w", to be read as "a"`, `"layers.9.w"`, "empty name")
	if strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v: lists a name that is there", err)
	}
}

func TestAlias(t *testing.T) {
	base := write(t, filepath.Join(t.TempDir(), "m.safetensors"), random("embed", tensors.BF16, 2, 3), random("norm", tensors.F32, 4))
	v, err := view.Alias(base, "lm_head", "embed")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Tensors()) != 3 || !near(numbers(t, v, "lm_head"), numbers(t, base, "embed"), 0) || !near(numbers(t, v, "norm"), numbers(t, base, "norm"), 0) {
		t.Errorf("%v", v.Tensors())
	}
	_, err = view.Alias(base, "norm", "embed")
	mention(t, err, base.Path(), `"norm"`, "of its own")
	_, err = view.Alias(base, "lm_head", "wte")
	mention(t, err, base.Path(), `"wte"`, `"lm_head"`)
}

// mention fails where an error is missing, or lacks one of the words.
func mention(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v: does not mention %q", err, w)
		}
	}
}
