package models

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/gomlx/gomlx/core/graph"
)

// vitConfig is the config.json of model_type "vit" (Dosovitskiy et al. 2021).
type vitConfig struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	Image        extent  `json:"image_size"`
	Patch        extent  `json:"patch_size"`
	Eps          float64 `json:"layer_norm_eps"`
	Act          string  `json:"hidden_act"`
	Bias         bool    `json:"qkv_bias"`
	Pooled       int     `json:"pooler_output_size"`
	PoolerAct    string  `json:"pooler_act"`

	Labels  map[string]any `json:"id2label"`
	Classes int            `json:"num_labels"`
}

// parseViT is ViTForImageClassification, whose classifier reads the class token, or
// ViTModel, whose vector is its pooler's where it has one.
func parseViT(data []byte, s *weightList) (*Model, error) {
	c := vitConfig{Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3, Image: extent{224, 224}, Patch: extent{16, 16},
		Eps: 1e-12, Act: "gelu", Bias: true, PoolerAct: "tanh"}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	act, err := activation("hidden_act", c.Act)
	if err != nil {
		return nil, err
	}
	body := s.under("embeddings.cls_token", "vit.", "")
	t := &tower{layers: c.Layers, heads: c.Heads, width: c.Hidden, inner: c.Intermediate, eps: c.Eps, act: act, bias: c.Bias,
		prefix: body + "encoder.layer.",
		names: towerNames{"layernorm_before", "attention.attention.query", "attention.attention.key", "attention.attention.value",
			"attention.output.dense", "layernorm_after", "intermediate.dense", "output.dense"}}
	if err := t.check(c.Channels, c.Image, c.Patch); err != nil {
		return nil, err
	}
	embeddings := body + "embeddings."
	s.add(embeddings+"cls_token", 1, 1, c.Hidden)
	s.add(embeddings+"position_embeddings", 1, c.Image.count(c.Patch)+1, c.Hidden)
	s.add(embeddings+"patch_embeddings.projection.weight", c.Hidden, c.Channels, c.Patch[0], c.Patch[1])
	s.add(embeddings+"patch_embeddings.projection.bias", c.Hidden)
	t.weights(s)
	s.norm(body+"layernorm", c.Hidden)
	m := &Image{Width: c.Hidden, Classes: c.labels()}
	t.begin = func(w Weights, x *graph.Node) *graph.Node {
		x = patches(w, embeddings+"patch_embeddings.projection.weight", x)
		x = graph.Add(x, graph.ExpandLeftToRank(w(embeddings+"patch_embeddings.projection.bias"), 3))
		return stand(x, w(embeddings+"cls_token"), w(embeddings+"position_embeddings"))
	}
	t.end = func(w Weights, x *graph.Node) *graph.Node { return normalize(w, body+"layernorm", x, c.Eps) }
	whole := t.model(c.Channels, c.Image, c.Patch, m)
	switch {
	case s.has["classifier.weight"]:
		whole.Outputs = len(m.Classes)
		s.affine("classifier", whole.Outputs, c.Hidden, true)
		m.Logits = func(w Weights, v *graph.Node) *graph.Node { return dense(w, "classifier", v, true) }
		vector := whole.parts.end
		whole.parts.end = func(w Weights, x *graph.Node) *graph.Node { return m.Logits(w, vector(w, x)) }
	case s.has[body+"pooler.dense.weight"]:
		pool, err := activation("pooler_act", c.PoolerAct)
		if err != nil {
			return nil, err
		}
		m.Width = cmp.Or(c.Pooled, c.Hidden)
		s.affine(body+"pooler.dense", m.Width, c.Hidden, true)
		token := t.end
		t.end = func(w Weights, x *graph.Node) *graph.Node {
			return pool(dense(w, body+"pooler.dense", token(w, x), true))
		}
	}
	return whole, nil
}

// labels are the classes' names; as many as transformers has where the config leaves
// them out, two.
func (c *vitConfig) labels() []string {
	n := len(c.Labels)
	if n == 0 {
		n = cmp.Or(c.Classes, 2)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = "LABEL_" + strconv.Itoa(i)
		if l, ok := c.Labels[strconv.Itoa(i)]; ok {
			names[i] = fmt.Sprint(l)
		}
	}
	return names
}
