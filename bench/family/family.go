// Package family writes families of models of a given size for the benchmarks: a
// llama-like base in bfloat16 and two fine-tunes of it, the same on every machine.
package family

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mergevo/mergevo/tensors"
)

// Shape is the architecture of a family.
type Shape struct {
	Hidden, Intermediate, Layers, Vocabulary int
	// KV is the width of keys and values.
	KV int
}

// OfSize returns a shape of about so many billions of parameters: 0.1, 0.5, 1, 2 or
// 70.
func OfSize(billions float64) (Shape, error) {
	switch billions {
	case 0.02:
		return Shape{Hidden: 256, Intermediate: 688, Layers: 4, Vocabulary: 32000, KV: 64}, nil
	case 0.1:
		return Shape{Hidden: 512, Intermediate: 1376, Layers: 24, Vocabulary: 32000, KV: 128}, nil
	case 0.5:
		return Shape{Hidden: 1280, Intermediate: 3413, Layers: 24, Vocabulary: 32000, KV: 320}, nil
	case 1:
		return Shape{Hidden: 1792, Intermediate: 4864, Layers: 26, Vocabulary: 32000, KV: 448}, nil
	case 2:
		return Shape{Hidden: 2560, Intermediate: 6912, Layers: 26, Vocabulary: 32000, KV: 640}, nil
	case 70:
		return Shape{Hidden: 8192, Intermediate: 28672, Layers: 80, Vocabulary: 128256, KV: 1024}, nil
	}
	return Shape{}, fmt.Errorf("no family of %g billion parameters; there are 0.02, 0.1, 0.5, 1, 2 and 70", billions)
}

// Tensors lists the tensors of a model, sorted by name.
func (s Shape) Tensors() []tensors.Info {
	var out []tensors.Info
	add := func(name string, shape ...int) {
		out = append(out, tensors.Info{Name: name, DType: tensors.BF16, Shape: shape})
	}
	add("lm_head.weight", s.Vocabulary, s.Hidden)
	add("model.embed_tokens.weight", s.Vocabulary, s.Hidden)
	for l := range s.Layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		add(p+"input_layernorm.weight", s.Hidden)
		add(p+"mlp.down_proj.weight", s.Hidden, s.Intermediate)
		add(p+"mlp.gate_proj.weight", s.Intermediate, s.Hidden)
		add(p+"mlp.up_proj.weight", s.Intermediate, s.Hidden)
		add(p+"post_attention_layernorm.weight", s.Hidden)
		add(p+"self_attn.k_proj.weight", s.KV, s.Hidden)
		add(p+"self_attn.o_proj.weight", s.Hidden, s.Hidden)
		add(p+"self_attn.q_proj.weight", s.Hidden, s.Hidden)
		add(p+"self_attn.v_proj.weight", s.KV, s.Hidden)
	}
	add("model.norm.weight", s.Hidden)
	return out
}

// Parameters counts the elements of a model.
func (s Shape) Parameters() int {
	n := 0
	for _, t := range s.Tensors() {
		n += t.Len()
	}
	return n
}

// Models are the members of a family: the base first.
var Models = []string{"base", "ft1", "ft2"}

// changed is the share of entries in which a fine-tune differs from the base.
var changed = map[string]float64{"base": 0, "ft1": 0.3, "ft2": 0.6}

// Write makes the models of a family under dir; those that are there stay.
func Write(dir string, s Shape, shard int64) error {
	for _, name := range Models {
		out := filepath.Join(dir, name)
		if _, err := os.Stat(filepath.Join(out, "config.json")); err == nil {
			continue
		}
		if err := s.write(out, changed[name], uint64(len(name)), shard); err != nil {
			return fmt.Errorf("%s: %w", out, err)
		}
	}
	return nil
}

func (s Shape) write(out string, share float64, salt uint64, shard int64) error {
	list := s.Tensors()
	w, err := tensors.Create(out, list, tensors.Options{ShardSize: shard})
	if err != nil {
		return err
	}
	defer w.Close()
	config, err := s.config()
	if err != nil {
		return err
	}
	if err := w.AddFile("config.json", config); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range list {
		group.Go(func() error {
			buf := make([]float32, 1<<18)
			for off := 0; off < t.Len(); off += len(buf) {
				v := buf[:min(len(buf), t.Len()-off)]
				for j := range v {
					at := uint64(i)<<40 | uint64(off+j)
					v[j] = 0.02 * normal(at)
					if share > 0 {
						// As a fine-tune is stored: the base's bfloat16, moved.
						v[j] = bfloat(v[j])
						if uniform(at^salt<<56^0xabcdef) < share {
							v[j] += 0.003 * normal(at^salt<<56)
						}
					}
				}
				if err := w.WriteAt(v, t.Name, off); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return w.Commit()
}

// Sparse makes a model of zeros under dir that takes no room: headers, and holes for
// what follows.
func Sparse(dir string, s Shape, shard int64) error {
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var files [][]tensors.Info
	var size int64
	for _, t := range s.Tensors() {
		if files == nil || size+t.Bytes() > shard {
			files, size = append(files, nil), 0
		}
		files[len(files)-1] = append(files[len(files)-1], t)
		size += t.Bytes()
	}
	where := map[string]string{}
	for i, list := range files {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
		if err := sparseFile(filepath.Join(dir, name), list); err != nil {
			return err
		}
		for _, t := range list {
			where[t.Name] = name
		}
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{}, "weight_map": where})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), index, 0o644); err != nil {
		return err
	}
	config, err := s.config()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

func sparseFile(path string, list []tensors.Info) error {
	header, off := map[string]any{}, int64(0)
	for _, t := range list {
		header[t.Name] = map[string]any{"dtype": "BF16", "shape": t.Shape, "data_offsets": []int64{off, off + t.Bytes()}}
		off += t.Bytes()
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	head := make([]byte, 8, 8+len(text))
	for i := range 8 {
		head[i] = byte(len(text) >> (8 * i))
	}
	head = append(head, text...)
	if err := os.WriteFile(path, head, 0o644); err != nil {
		return err
	}
	return os.Truncate(path, int64(len(head))+off)
}

func (s Shape) config() ([]byte, error) {
	heads := max(1, s.Hidden/64)
	return json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": s.Hidden,
		"intermediate_size": s.Intermediate, "num_hidden_layers": s.Layers, "vocab_size": s.Vocabulary,
		"num_attention_heads": heads, "num_key_value_heads": max(1, s.KV/64), "head_dim": 64,
		"rms_norm_eps": 1e-5, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
	}, "", "  ")
}

// hash is SplitMix64 (Steele, Lea & Flood 2014).
func hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func uniform(at uint64) float64 { return float64(hash(at)>>11) / (1 << 53) }

// normal is nearly so: a sum of four uniform numbers of 16 bits.
func normal(at uint64) float32 {
	h := hash(at)
	sum := h&0xffff + h>>16&0xffff + h>>32&0xffff + h>>48
	return (float32(sum) - 2*0xffff) / (0xffff / 1.732)
}

func bfloat(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) & 0xffff0000)
}
