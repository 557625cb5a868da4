package models

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// clipVision is the config.json of model_type "clip_vision_model", and vision_config
// of "clip" (Radford et al. 2021).
type clipVision struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	Image        int     `json:"image_size"`
	Patch        int     `json:"patch_size"`
	Eps          float64 `json:"layer_norm_eps"`
	Act          string  `json:"hidden_act"`
	Projected    int     `json:"projection_dim"`
}

// parseCLIP is CLIPModel, of which the images' side is run: the texts' side is merged
// all the same.
func parseCLIP(data []byte, s *weightList) (*Model, error) {
	c := struct {
		Vision    json.RawMessage `json:"vision_config"`
		Projected int             `json:"projection_dim"`
	}{Projected: 512}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	if len(c.Vision) == 0 {
		c.Vision = json.RawMessage("{}")
	}
	m, err := parseCLIPVision(c.Vision, s)
	if err != nil {
		return nil, fmt.Errorf("vision_config: %w", err)
	}
	if m.Image.Projection == "" {
		return nil, errors.New("the checkpoint has no visual_projection.weight")
	}
	if err := positive(map[string]int{"projection_dim": c.Projected}); err != nil {
		return nil, err
	}
	s.list[len(s.list)-1].Shape[0] = c.Projected // the model's own, not vision_config's
	m.Image.Projected, m.Image.Scale = c.Projected, "logit_scale"
	s.add(m.Image.Scale)
	return m, nil
}

// parseCLIPVision is CLIPVisionModel, or CLIPVisionModelWithProjection where the
// checkpoint has a projection.
func parseCLIPVision(data []byte, s *weightList) (*Model, error) {
	c := clipVision{Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3, Image: 224, Patch: 32, Eps: 1e-5, Act: "quick_gelu", Projected: 512}
	if err := loose(data, &c); err != nil {
		return nil, err
	}
	act, err := activation("hidden_act", c.Act)
	if err != nil {
		return nil, err
	}
	body := s.under("embeddings.class_embedding", "vision_model.", "")
	t := &tower{layers: c.Layers, heads: c.Heads, width: c.Hidden, inner: c.Intermediate, eps: c.Eps, act: act, bias: true,
		prefix: body + "encoder.layers.",
		names:  towerNames{"layer_norm1", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2"}}
	image, patch := extent{c.Image, c.Image}, extent{c.Patch, c.Patch}
	if err := t.check(c.Channels, image, patch); err != nil {
		return nil, err
	}
	embeddings := body + "embeddings."
	s.add(embeddings+"class_embedding", c.Hidden)
	s.add(embeddings+"patch_embedding.weight", c.Hidden, c.Channels, c.Patch, c.Patch)
	s.add(embeddings+"position_embedding.weight", image.count(patch)+1, c.Hidden)
	s.norm(body+"pre_layrnorm", c.Hidden) // transformers spells it so
	t.weights(s)
	s.norm(body+"post_layernorm", c.Hidden)
	t.begin = func(w Weights, x *graph.Node) *graph.Node {
		x = stand(patches(w, embeddings+"patch_embedding.weight", x), w(embeddings+"class_embedding"), w(embeddings+"position_embedding.weight"))
		return normalize(w, body+"pre_layrnorm", x, c.Eps)
	}
	t.end = func(w Weights, x *graph.Node) *graph.Node { return normalize(w, body+"post_layernorm", x, c.Eps) }
	m := &Image{Width: c.Hidden}
	if s.has["visual_projection.weight"] {
		if err := positive(map[string]int{"projection_dim": c.Projected}); err != nil {
			return nil, err
		}
		m.Projection, m.Projected = "visual_projection.weight", c.Projected
		s.add(m.Projection, c.Projected, c.Hidden)
	}
	return t.model(c.Channels, image, patch, m), nil
}
