package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// config is all-MiniLM-L6-v2's.
const config = `{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6,
 "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
`

var members = []string{"base", "a", "b", "c"}

// writeFamily writes a base and three models near it, of random numbers, F16.
func writeFamily(dir string) error {
	m, err := models.Parse([]byte(config), nil)
	if err != nil {
		return err
	}
	infos := append([]tensors.Info{{Name: "pooler.dense.weight", Shape: []int{384, 384}}, {Name: "pooler.dense.bias", Shape: []int{384}}}, m.Tensors...)
	for i := range infos {
		infos[i].DType = tensors.F16
	}
	base := map[string][]float32{}
	for n, name := range members {
		w, err := tensors.Create(filepath.Join(dir, name), infos, tensors.Options{})
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.AddFile("config.json", []byte(config)); err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		for _, t := range infos {
			x := make([]float32, t.Len())
			for i := range x {
				x[i] = float32(rng.NormFloat64())
				switch {
				case n > 0:
					x[i] = base[t.Name][i] + 0.002*x[i]
				case len(t.Shape) == 1:
					x[i] = 1
				default:
					x[i] *= 0.05
				}
			}
			if n == 0 {
				base[t.Name] = x
			}
			if err := w.WriteAt(x, t.Name, 0); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		if err := w.Commit(); err != nil {
			return err
		}
	}
	return nil
}
