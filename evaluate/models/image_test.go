package models_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/tensors"
)

// Each family's vectors and logits are transformers', on tiny random checkpoints
// (testdata/images/make.py).
func TestImageFamilies(t *testing.T) {
	dirs, err := filepath.Glob("testdata/images/*/config.json")
	if err != nil || len(dirs) < 4 {
		t.Fatalf("%d checkpoints, %v", len(dirs), err)
	}
	for _, b := range xlatest.Backends(t) {
		for _, config := range dirs {
			dir := filepath.Dir(config)
			t.Run(b.Kind+"/"+filepath.Base(dir), func(t *testing.T) {
				c, m := openImages(t, dir)
				e, err := tensors.Open(filepath.Join(dir, "expected.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				pixels := floats(t, e, "pixels")
				args := []any{gmlx.FromFlatDataAndDimensions(pixels, append([]int{3}, m.Input...)...)}
				for _, info := range m.Tensors {
					args = append(args, gmlx.FromFlatDataAndDimensions(floats(t, c, info.Name), info.Shape...))
				}
				outputs := []string{"vector"}
				exec, err := graph.NewExec(b.Backend, func(args []*graph.Node) []*graph.Node {
					w := func(name string) *graph.Node {
						return args[1+slices.IndexFunc(m.Tensors, func(t tensors.Info) bool { return t.Name == name })]
					}
					v := m.Image.Vector(w, args[0])
					switch text, ok := e.Lookup("text"); {
					case m.Image.Logits != nil:
						outputs = append(outputs, "logits")
						return []*graph.Node{v, m.Image.Logits(w, v)}
					case ok:
						outputs = append(outputs, "logits")
						features := graph.Reshape(graph.Const(v.Graph(), floats(t, e, "text")), text.Shape...)
						return []*graph.Node{v, models.Similarity(v, w(m.Image.Projection), w(m.Image.Scale), features)}
					}
					return []*graph.Node{v}
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := exec.Call(args...)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := e.Lookup("logits"); ok != (len(out) == 2) {
					t.Fatalf("%d outputs", len(out))
				}
				for i, name := range outputs {
					got, want := gmlx.MustCopyFlatData[float32](out[i]), floats(t, e, name)
					if len(got) != len(want) {
						t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
					}
					var worst float64
					for i := range want {
						worst = max(worst, math.Abs(float64(got[i]-want[i]))/math.Max(1, math.Abs(float64(want[i]))))
					}
					t.Logf("%s differs by %.1e", name, worst)
					if !(worst < 1e-4) {
						t.Errorf("%s differs from transformers by %g", name, worst)
					}
				}
			})
		}
	}
}

func openImages(t *testing.T, dir string) (*tensors.Checkpoint, *models.Model) {
	t.Helper()
	c, err := tensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	m, err := models.Load(dir, c.Tensors())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(c.Tensors()); err != nil {
		t.Fatal(err)
	}
	return c, m
}

// What a config leaves out is as transformers has it, and what cannot be is refused.
func TestImageConfigs(t *testing.T) {
	m, err := models.Parse([]byte(`{"model_type": "vit"}`), []tensors.Info{{Name: "classifier.weight"}})
	if err != nil || !slices.Equal(m.Input, []int{3, 224, 224}) || m.Outputs != 2 || m.Image.Width != 768 || m.Image.Places != 197 {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = models.Parse([]byte(`{"model_type": "clip", "projection_dim": 512}`), []tensors.Info{{Name: "visual_projection.weight"}})
	if err != nil || m.Image.Places != 50 || m.Image.Scale != "logit_scale" || m.Outputs != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	// The tower alone, under the prefix that it has within a whole model, with its projection.
	have := []tensors.Info{{Name: "vision_model.embeddings.class_embedding"}, {Name: "visual_projection.weight"}}
	m, err = models.Parse([]byte(`{"model_type": "clip_vision_model"}`), have)
	if err != nil || m.Image.Projection != "visual_projection.weight" || m.Image.Scale != "" || m.Tensors[0].Name != "vision_model.embeddings.class_embedding" {
		t.Errorf("%+v, %v", m, err)
	}
	for _, c := range [][2]string{
		{`{"model_type": "vit", "num_attention_heads": 7}`, "hidden_size 768 is not a multiple of num_attention_heads 7"},
		{`{"model_type": "vit", "image_size": [8]}`, "[8] is neither a number nor [height, width]"},
		{`{"model_type": "vit", "image_size": 8}`, "patch_size [16 16] is larger than image_size [8 8]"},
		{`{"model_type": "vit", "image_size": [224, 1000000000]}`, "image_size is 1000000000"},
		{`{"model_type": "vit", "hidden_act": "mish"}`, `hidden_act "mish" is not known; known: gelu, `},
		{`{"model_type": "clip", "vision_config": {"patch_size": -1}}`, "vision_config: patch_size is -1"},
		{`{"model_type": "clip"}`, "the checkpoint has no visual_projection.weight"},
		{`{"model_type": "clip_vision_model", "image_size": 0}`, "image_size is 0"},
		{`{"model_type": "vit"} x`, "not a config.json"},
	} {
		if _, err := models.Parse([]byte(c[0]), nil); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s\ngot  %v\nwant %s", c[0], err, c[1])
		}
	}
}

// How bytes become inputs is read from what transformers keeps beside a model.
func TestPixels(t *testing.T) {
	config, err := os.ReadFile("testdata/images/vit/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, text string
		factor     float64
		mean, dev  []float32
		wrong      string
	}{
		{file: "none.json"},
		{file: "preprocessor_config.json", text: `{"image_mean": [0.5, 0.4, 0.3], "image_std": [1, 2, 3]}`, factor: 1.0 / 255, mean: []float32{0.5, 0.4, 0.3}, dev: []float32{1, 2, 3}},
		{file: "preprocessor_config.json", text: `{"image_mean": 0.5, "image_std": 0.25, "rescale_factor": 0.5}`, factor: 0.5, mean: []float32{0.5, 0.5, 0.5}, dev: []float32{0.25, 0.25, 0.25}},
		{file: "preprocessor_config.json", text: `{"do_normalize": false, "do_rescale": false, "image_mean": null}`, factor: 1, mean: []float32{0, 0, 0}, dev: []float32{1, 1, 1}},
		{file: "processor_config.json", text: `{"image_processor": {"image_mean": 0.5, "image_std": 1}}`, factor: 1.0 / 255, mean: []float32{0.5, 0.5, 0.5}, dev: []float32{1, 1, 1}},
		{file: "preprocessor_config.json", text: `{"image_std": [1, 1, 1]}`, wrong: "there is no image_mean"},
		{file: "preprocessor_config.json", text: `{"image_mean": [0.5], "image_std": [1, 1, 1]}`, wrong: "image_mean is [0.5], want 3 numbers"},
		{file: "preprocessor_config.json", text: `{"image_mean": 0.5, "image_std": 0}`, wrong: "image_std has 0"},
	} {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"config.json": config, c.file: []byte(c.text)} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m, err := models.Load(dir, nil)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("%s %s\ngot  %v\nwant %s", c.file, c.text, err, c.wrong)
			}
		case err != nil:
			t.Errorf("%s %s: %v", c.file, c.text, err)
		case c.text == "":
			if m.Image.Pixels != nil {
				t.Errorf("of nothing: %+v", m.Image.Pixels)
			}
		default:
			if p := m.Image.Pixels; p == nil || p.Factor != c.factor || !slices.Equal(p.Mean, c.mean) || !slices.Equal(p.Deviation, c.dev) {
				t.Errorf("%s %s: %+v", c.file, c.text, p)
			}
		}
	}
}
