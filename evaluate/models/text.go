package models

import (
	"encoding/json"
	"fmt"

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
	// Blocks is the model layer by layer.
	Blocks *Blocks
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

// Longest bounds sequences in tokens, 0 where nothing does: of a decoder the token behind
// the longest that it reads may be asked for, and is never read itself.
func (m *Text) Longest() int {
	if m.Positions > 0 && m.Logits != nil {
		return m.Positions + 1
	}
	return m.Positions
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
	seen(name+".weight", x, false)
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
// [B, 1, T, S]; nil sees all.
func attend(q, k, v, see *graph.Node, scale float64) *graph.Node {
	b, t, h, d := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	s, groups := k.Shape().Dim(1), k.Shape().Dim(2)
	q = graph.MulScalar(q, scale)
	weigh := func(scores *graph.Node, dims ...int) *graph.Node {
		if see == nil {
			return graph.Softmax(scores, -1)
		}
		wide := graph.BroadcastToShape(graph.Reshape(see, dims...), scores.Shape())
		// Finite, so that a token that sees nothing, behind the end, gives no NaN.
		return graph.Softmax(graph.Where(wide, scores, graph.MulScalar(graph.OnesLike(scores), -1e30)), -1)
	}
	if h == groups { // an axis less is some percent faster on a CPU
		out := graph.Einsum("bhts,bshd->bthd", weigh(graph.Einsum("bthd,bshd->bhts", q, k), b, 1, t, s), v)
		return graph.Reshape(out, b, t, h*d)
	}
	q = graph.Reshape(q, b, t, groups, h/groups, d)
	out := graph.Einsum("bgrts,bsgd->btgrd", weigh(graph.Einsum("btgrd,bsgd->bgrts", q, k), b, 1, 1, t, s), v)
	return graph.Reshape(out, b, t, h*d)
}

// activations are the nonlinear functions by transformers' names.
var activations = map[string]func(x *graph.Node) *graph.Node{
	"gelu":              func(x *graph.Node) *graph.Node { return (&gelu{}).forward(nil, x) },
	"gelu_python":       func(x *graph.Node) *graph.Node { return (&gelu{}).forward(nil, x) },
	"gelu_new":          tanhGelu,
	"gelu_fast":         tanhGelu,
	"gelu_accurate":     tanhGelu,
	"gelu_python_tanh":  tanhGelu,
	"gelu_pytorch_tanh": tanhGelu,
	"relu":              func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) },
	"relu2": func(x *graph.Node) *graph.Node {
		x = graph.Max(x, graph.ZerosLike(x))
		return graph.Mul(x, x)
	},
	"sigmoid": graph.Logistic,
	"linear":  func(x *graph.Node) *graph.Node { return x },
	"silu":    func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Logistic(x)) },
	"swish":   func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Logistic(x)) },
	"quick_gelu": func(x *graph.Node) *graph.Node {
		return graph.Mul(x, graph.Logistic(graph.MulScalar(x, 1.702)))
	},
	"tanh": graph.Tanh,
}

func tanhGelu(x *graph.Node) *graph.Node { return (&gelu{Approximate: "tanh"}).forward(nil, x) }

// activation is that of a config's key.
func activation(key, name string) (func(*graph.Node) *graph.Node, error) {
	f, ok := activations[name]
	if !ok {
		return nil, fmt.Errorf("%s %q is not known; known: %s", key, name, known(activations))
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

// loose decodes a config of transformers, which has keys that change nothing here.
func loose(data []byte, v any) error { return json.Unmarshal(data, v) }
