package experts

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

func open(t *testing.T, path string) *tensors.Checkpoint {
	t.Helper()
	c, err := tensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func decoder(t *testing.T) (Expert, []byte) {
	t.Helper()
	dir := filepath.Join("..", "evaluate", "testdata", "decoder")
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return Expert{Name: "decoder", Source: open(t, dir), Residual: 1}, config
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		asked, of string
		shared    bool
		want      string // a name, or a part of the error
	}{
		{"", "llama", false, "mixtral"}, {"", "mistral", true, "qwen2_moe"}, {"", "qwen2", false, "qwen2_moe"}, {"", "qwen3", false, "qwen3_moe"},
		{"qwen", "llama", false, "qwen2_moe"}, {"mixtral", "llama", true, "mixtral has no shared expert"}, {"mixtral", "qwen2", false, "mixtral is made of llama, mistral, not of qwen2"},
		{"", "gpt2", false, `no known mixture is made of models of type "gpt2"; known: mixtral, qwen2_moe, qwen3_moe`}, {"deepseek", "llama", false, `architecture "deepseek" is not known`},
		{"", "qwen3", true, "no known mixture with a shared expert"},
	} {
		a, err := Fit(c.asked, c.of, c.shared)
		if err == nil && a.Name != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, %v", c, a, err)
		}
	}
}

// What does not fit is listed before anything is written.
func TestRefused(t *testing.T) {
	base, config := decoder(t)
	short := Expert{Name: "short", Source: open(t, filepath.Join("..", "evaluate", "testdata", "encoder"))}
	_, err := New(Config{Base: base, JSON: config, Experts: []Expert{base, short}, PerToken: 1})
	for _, want := range []string{"the models make no mixtral", "model.layers.0.mlp.up_proj.weight: missing in short", "model.layers.1.mlp.down_proj.weight: missing in short"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	qwen := Expert{Name: "qwen", Source: open(t, "testdata/qwen2"), Residual: 1}
	_, err = New(Config{Base: qwen, JSON: config, Experts: []Expert{base}, PerToken: 1})
	if want := "model.layers.0.self_attn.q_proj.bias: mixtral has no such bias"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q is not in: %v", want, err)
	}
}

// Keys that a dense model's config.json may leave out are written where the mixture's
// class would read another default.
func TestConfigDefaults(t *testing.T) {
	base, config := decoder(t)
	bare := strings.NewReplacer(`"num_key_value_heads": 2,`, "", `"rope_parameters"`, `"other"`).Replace(string(config))
	m, err := New(Config{Base: base, JSON: []byte(bare), Experts: []Expert{base}, PerToken: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range m.Keys() {
		if _, twice := got[k.Name]; twice {
			t.Errorf("%s twice", k.Name)
		}
		got[k.Name] = k.JSON
	}
	for key, want := range map[string]string{"num_key_value_heads": "4", "rope_theta": "10000.0", "rms_norm_eps": "1e-06", "num_local_experts": "1", "model_type": `"mixtral"`} {
		if got[key] != want {
			t.Errorf("%s is %s, not %s", key, got[key], want)
		}
	}
}

// Random gates are rows of length 1, other ones for each layer and expert, the same for
// the same seed; rows that depend on each other are told.
func TestRandomGates(t *testing.T) {
	base, config := decoder(t)
	m, err := New(Config{Base: base, JSON: config, Experts: []Expert{base, base}, PerToken: 1, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, uniform := range []bool{false, true} {
		g, h := m.Random(uniform), m.Random(uniform)
		for l, rows := range g.Experts {
			for e, row := range rows {
				n := 0.0
				for i, v := range row {
					n += float64(v) * float64(v)
					if v != h.Experts[l][e][i] {
						t.Error("twice the same seed gives two gates")
					}
				}
				if math.Abs(n-1) > 1e-6 {
					t.Errorf("a row of length %g", n)
				}
			}
		}
		if g.Experts[0][0][0] == g.Experts[0][1][0] || g.Experts[0][0][0] == g.Experts[1][0][0] {
			t.Errorf("%v", g.Experts)
		}
		if a := g.Alike(); len(a) > 0 {
			t.Errorf("layers %v", a)
		}
		g.Experts[1][1] = g.Experts[1][0]
		if a := g.Alike(); len(a) != 1 || a[0] != 1 {
			t.Errorf("layers %v", a)
		}
	}
	w, err := tensors.Create(filepath.Join(t.TempDir(), "x"), m.Layout(), tensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := m.Write(t.Context(), w, Gates{}, func(string, int64) {}); err == nil {
		t.Error("no gates are written")
	}
}
