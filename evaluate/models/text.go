package models

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/tensors"
)

// Text is what a model that reads token ids is made of. Its graphs are of one
// candidate, which fills a device by itself: weights are [shape...], without a
// population axis.
type Text struct {
	// Vocabulary is the number of ids, Width the size of a token's vector.
	Vocabulary, Width int
	// Positions is the longest sequence, 0 where there is no bound.
	Positions int
	// Hidden returns the last layer's vectors, float32 [B, T, Width], of ids, int32
	// [B, T], and the lengths of the sequences, int32 [B]: what stands behind a
	// sequence's end is padding, and changes nothing before it.
	Hidden func(w Weights, ids, lengths *graph.Node) *graph.Node
	// Decode is what generation runs, nil for an encoder.
	Decode *Decode
	// Logits returns the scores of the next token, float32 [..., Vocabulary], of
	// vectors [..., Width]; nil for an encoder.
	Logits func(w Weights, hidden *graph.Node) *graph.Node
	// Ends are the ids that end a text.
	Ends []int32
	// Wide is the largest number of float32 values that a token takes between two
	// layers, those of its attention to T others apart: Heads times T.
	Wide, Heads int
}

// weightList collects the weights that a graph reads.
type weightList struct {
	list []tensors.Info
	has  map[string]bool
}

func (s *weightList) add(name string, shape ...int) {
	s.list = append(s.list, tensors.Info{Name: name, DType: tensors.F32, Shape: shape})
}

// affine is a linear layer's weight and bias.
func (s *weightList) affine(name string, out, in int, bias bool) {
	s.add(name+".weight", out, in)
	if bias {
		s.add(name+".bias", out)
	}
}

func (s *weightList) norm(name string, width int) {
	s.add(name+".weight", width)
	s.add(name+".bias", width)
}

// under returns the first prefix under which the checkpoint has a tensor, the first
// of all where it has none.
func (s *weightList) under(name string, prefixes ...string) string {
	for _, p := range prefixes {
		if s.has[p+name] {
			return p
		}
	}
	return prefixes[0]
}

// dense is torch.nn.Linear on the last axis; the bias is added where there is one.
func dense(w Weights, name string, x *graph.Node, bias bool) *graph.Node {
	y := graph.EinsumAxes(x, w(name+".weight"), [][2]int{{x.Rank() - 1, 1}}, nil)
	if bias {
		y = graph.Add(y, graph.ExpandLeftToRank(w(name+".bias"), y.Rank()))
	}
	return y
}

// normalize is torch.nn.LayerNorm over the last axis.
func normalize(w Weights, name string, x *graph.Node, eps float64) *graph.Node {
	c := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	variance := graph.ReduceAndKeep(graph.Mul(c, c), graph.ReduceMean, -1)
	y := graph.Mul(c, graph.Rsqrt(graph.AddScalar(variance, eps)))
	y = graph.Mul(y, graph.ExpandLeftToRank(w(name+".weight"), y.Rank()))
	return graph.Add(y, graph.ExpandLeftToRank(w(name+".bias"), y.Rank()))
}

// embed looks up rows of a table [n, width] by ids, int32 [B, T].
func embed(table, ids *graph.Node) *graph.Node {
	return graph.Gather(table, graph.InsertAxes(ids, -1))
}

// positions is 0, 1, ... T-1, int32 [1, T].
func positions(ids *graph.Node) *graph.Node {
	return graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, 1, ids.Shape().Dim(1)), 1)
}

// sight is true where a token may look at another, bool [B, 1, T, T]: at tokens
// before its sequence's end; of a causal model at those up to its own place, of them
// the last window if window is positive.
func sight(ids, lengths *graph.Node, causal bool, window int) *graph.Node {
	b, t := ids.Shape().Dim(0), ids.Shape().Dim(1)
	at := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, 1, t, t), 3)
	see := graph.LessThan(at, graph.BroadcastToShape(graph.Reshape(lengths, b, 1, 1, 1), at.Shape()))
	if causal {
		from := graph.Iota(ids.Graph(), at.Shape(), 2)
		see = graph.LogicalAnd(see, graph.LessOrEqual(at, from))
		if window > 0 {
			see = graph.LogicalAnd(see, graph.GreaterThan(at, graph.SubScalar(from, window)))
		}
	}
	return see
}

// attend is scaled dot-product attention of q [B, T, H, D] to k and v [B, S, K, D],
// where H is a multiple of K: heads share keys and values in groups. see is bool
// [B, 1, T, S].
func attend(q, k, v, see *graph.Node, scale float64) *graph.Node {
	b, t, h, d := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	s, groups := k.Shape().Dim(1), k.Shape().Dim(2)
	q = graph.Reshape(graph.MulScalar(q, scale), b, t, groups, h/groups, d)
	scores := graph.Einsum("btgrd,bsgd->bgrts", q, k)
	wide := graph.BroadcastToShape(graph.Reshape(see, b, 1, 1, t, s), scores.Shape())
	// Finite, so that a token that sees nothing, behind the end, gives no NaN.
	scores = graph.Where(wide, scores, graph.MulScalar(graph.OnesLike(scores), -1e30))
	out := graph.Einsum("bgrts,bsgd->btgrd", graph.Softmax(scores, -1), v)
	return graph.Reshape(out, b, t, h*d)
}

// activations are the nonlinear functions by transformers' names.
var activations = map[string]func(x *graph.Node) *graph.Node{
	"gelu":              func(x *graph.Node) *graph.Node { return (&gelu{}).forward(nil, x) },
	"gelu_new":          tanhGelu,
	"gelu_fast":         tanhGelu,
	"gelu_pytorch_tanh": tanhGelu,
	"relu":              func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) },
	"silu":              func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Logistic(x)) },
	"swish":             func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Logistic(x)) },
	"quick_gelu": func(x *graph.Node) *graph.Node {
		return graph.Mul(x, graph.Logistic(graph.MulScalar(x, 1.702)))
	},
	"tanh": graph.Tanh,
}

func tanhGelu(x *graph.Node) *graph.Node { return (&gelu{Approximate: "tanh"}).forward(nil, x) }

func activation(name string) (func(*graph.Node) *graph.Node, error) {
	f, ok := activations[name]
	if !ok {
		return nil, fmt.Errorf("the activation %q is not known; known: %s", name, known(activations))
	}
	return f, nil
}

// positive refuses sizes that are missing or absurd.
func positive(sizes map[string]int) error {
	for _, name := range sorted(sizes) {
		if n := sizes[name]; n <= 0 || n > 1<<24 {
			return fmt.Errorf("%s is %d", name, n)
		}
	}
	return nil
}

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
	freq = make([]float64, dim/2)
	for i := range freq {
		freq[i] = 1 / math.Pow(r.Theta, float64(2*i)/float64(dim))
	}
	switch kind := cmp.Or(r.Type, r.OldType, "default"); kind {
	case "default":
	case "linear":
		if r.Factor < 1 {
			return nil, 0, fmt.Errorf("rope_scaling factor is %g", r.Factor)
		}
		for i := range freq {
			freq[i] /= r.Factor
		}
	case "dynamic": // changes nothing up to the longest sequence, and nothing longer is run
	case "llama3":
		if r.Factor <= 0 || r.Low <= 0 || r.High <= r.Low || r.Original <= 0 {
			return nil, 0, fmt.Errorf("rope_scaling llama3 needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings")
		}
		for i, f := range freq {
			wavelength := 2 * math.Pi / f
			switch {
			case wavelength < r.Original/r.High:
			case wavelength > r.Original/r.Low:
				freq[i] = f / r.Factor
			default:
				smooth := (r.Original/wavelength - r.Low) / (r.High - r.Low)
				freq[i] = (1-smooth)*f/r.Factor + smooth*f
			}
		}
	case "yarn":
		return r.yarn(freq, dim, positions)
	default:
		return nil, 0, fmt.Errorf("rope_scaling %q is not known; known: default, linear, dynamic, llama3, yarn", kind)
	}
	return freq, 1, nil
}

// yarn stretches slow turns and keeps fast ones (Peng et al. 2023).
func (r ropeScaling) yarn(freq []float64, dim, positions int) ([]float64, float64, error) {
	original := cmp.Or(r.Original, float64(positions))
	fast, slow := cmp.Or(r.BetaFast, 32), cmp.Or(r.BetaSlow, 1)
	if r.Factor <= 0 {
		return nil, 0, fmt.Errorf("rope_scaling yarn needs a factor")
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

// loose decodes a config of transformers, which has keys that change nothing here.
func loose(data []byte, v any) error { return json.Unmarshal(data, v) }
