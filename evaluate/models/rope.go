package models

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// ropeScaling is rope_scaling, or rope_parameters of transformers 5.
type ropeScaling struct {
	Type      string  `json:"rope_type"`
	OldType   string  `json:"type"`
	Theta     float64 `json:"rope_theta"`
	Factor    float64 `json:"factor"`
	Low       float64 `json:"low_freq_factor"`
	High      float64 `json:"high_freq_factor"`
	Original  float64 `json:"original_max_position_embeddings"`
	BetaFast  float64 `json:"beta_fast"`
	BetaSlow  float64 `json:"beta_slow"`
	Attention float64 `json:"attention_factor"`
	Mscale    float64 `json:"mscale"`
	MscaleAll float64 `json:"mscale_all_dim"`
	Truncate  *bool   `json:"truncate"`
	Partial   float64 `json:"partial_rotary_factor"`

	// Kinds of layers that have angles of their own, as no family here does.
	Full    *struct{} `json:"full_attention"`
	Sliding *struct{} `json:"sliding_attention"`
}

// frequencies returns the angle a position turns each pair of a head by, and what
// cosine and sine are multiplied with (Su et al. 2021; scalings as transformers has
// them). positions is the config's longest sequence.
func (r ropeScaling) frequencies(dim, positions int) (freq []float64, scale float64, err error) {
	if r.Theta <= 0 {
		return nil, 0, fmt.Errorf("rope_theta is %g", r.Theta)
	}
	if r.Partial != 0 && r.Partial != 1 {
		return nil, 0, fmt.Errorf("partial_rotary_factor %g is not known here", r.Partial)
	}
	if r.Full != nil || r.Sliding != nil {
		return nil, 0, errors.New("rope_parameters of kinds of layers, full_attention and sliding_attention, are not known here")
	}
	original := cmp.Or(r.Original, float64(positions))
	freq = make([]float64, dim/2)
	for i := range freq {
		freq[i] = 1 / math.Pow(r.Theta, float64(2*i)/float64(dim))
	}
	switch kind := cmp.Or(r.Type, r.OldType, "default"); kind {
	case "default":
	case "linear":
		if r.Factor <= 0 {
			return nil, 0, fmt.Errorf("rope_scaling factor is %g", r.Factor)
		}
		for i := range freq {
			freq[i] /= r.Factor
		}
	case "dynamic": // changes nothing up to the longest sequence, and nothing longer is run
	case "llama3":
		if r.Factor <= 0 || r.Low <= 0 || r.High <= r.Low {
			return nil, 0, errors.New("rope_scaling llama3 needs factor, low_freq_factor and high_freq_factor")
		}
		for i, f := range freq {
			wavelength := 2 * math.Pi / f
			switch {
			case wavelength < original/r.High:
			case wavelength > original/r.Low:
				freq[i] = f / r.Factor
			default:
				smooth := (original/wavelength - r.Low) / (r.High - r.Low)
				freq[i] = (1-smooth)*f/r.Factor + smooth*f
			}
		}
	case "yarn":
		if r.Factor == 0 {
			r.Factor = float64(positions) / original
		}
		return r.yarn(freq, dim, original)
	default:
		return nil, 0, fmt.Errorf("rope_scaling %q is not known; known: default, linear, dynamic, llama3, yarn", kind)
	}
	return freq, 1, nil
}

// yarn stretches slow turns and keeps fast ones (Peng et al. 2023).
func (r ropeScaling) yarn(freq []float64, dim int, original float64) ([]float64, float64, error) {
	fast, slow := cmp.Or(r.BetaFast, 32), cmp.Or(r.BetaSlow, 1)
	if r.Factor <= 0 {
		return nil, 0, fmt.Errorf("rope_scaling factor is %g", r.Factor)
	}
	mscale := func(m float64) float64 {
		if r.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(r.Factor) + 1
	}
	scale := r.Attention
	if scale == 0 {
		if scale = mscale(1); r.Mscale != 0 && r.MscaleAll != 0 {
			scale = mscale(r.Mscale) / mscale(r.MscaleAll)
		}
	}
	at := func(turns float64) float64 {
		return float64(dim) * math.Log(original/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := at(fast), at(slow)
	if r.Truncate == nil || *r.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if low == high {
		high += 0.001
	}
	for i, f := range freq {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		freq[i] = f/r.Factor*ramp + f*(1-ramp)
	}
	return freq, scale, nil
}

// rope turns the halves of each head of x [B, T, H, D] by its position, int32 [B, T]
// or [1, T].
func rope(x, at *graph.Node, freq []float64, scale float64) *graph.Node {
	g, d := x.Graph(), x.Shape().Dim(3)
	narrow := make([]float32, len(freq))
	for i, f := range freq {
		narrow[i] = float32(f)
	}
	angle := graph.Mul(
		graph.InsertAxes(graph.ConvertDType(at, dtypes.Float32), -1),
		graph.Reshape(graph.Const(g, narrow), 1, 1, d/2)) // [B|1, T, D/2]
	turn := func(t *graph.Node) *graph.Node {
		t = graph.InsertAxes(graph.Concatenate([]*graph.Node{t, t}, -1), 2)
		return graph.MulScalar(t, scale)
	}
	first := graph.SliceAxis(x, 3, graph.AxisRange(0, d/2))
	second := graph.SliceAxis(x, 3, graph.AxisRange(d/2, d))
	turned := graph.Concatenate([]*graph.Node{graph.Neg(second), first}, 3)
	return graph.Add(graph.Mul(x, turn(graph.Cos(angle))), graph.Mul(turned, turn(graph.Sin(angle))))
}
