package evaluate

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/evaluate/models"
)

// mode is what a program returns of sequences.
type mode int

const (
	// classes gives the class of a text and the log-likelihood of the right one.
	classes mode = iota
	// tokens gives the log-likelihood of a sequence's tokens.
	tokens
	// vectors gives the vector of a text, of length 1.
	vectors
	// written goes on after prompts.
	written
)

func (d *Dataset) mode() mode {
	switch d.Kind {
	case PerplexityKind, Choice:
		return tokens
	case STS:
		return vectors
	case Generate:
		return written
	}
	return classes
}

// shared are the arguments that all batches of a mode have.
func (m mode) shared(heads []*gmlx.Tensor) []*gmlx.Tensor {
	if m == classes {
		return heads
	}
	return nil
}

// classPlaces lays the classes of all heads side by side, so that one program
// serves every task.
type classPlaces struct {
	width, count int
	weight, bias []float32
}

// add returns the place of a head's first class.
func (p *classPlaces) add(h *Head) int {
	from := p.count
	if h != nil {
		p.count += h.Classes
		p.weight, p.bias = append(p.weight, h.Weight...), append(p.bias, h.Bias...)
	}
	return from
}

// tensors are the heads' weights [classes, width] and biases [classes]; none without
// a head.
func (p *classPlaces) tensors() []*gmlx.Tensor {
	if p.count == 0 {
		return nil
	}
	return []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(p.weight, p.count, p.width), gmlx.FromFlatDataAndDimensions(p.bias, p.count)}
}

// row is what one text is asked: how its vectors are pooled, which classes are its
// task's, and which is right.
type row struct {
	pooling         string
	from, to, label int
}

// rowArgs are what the programs of texts take besides tokens and lengths: each
// token's share of the text's vector [rows, length]; the first class of its task,
// the one after the last and the right one, int32 [3, rows].
func (b batch) rowArgs(rows map[int]row, lengths []int32) []*gmlx.Tensor {
	share, place := make([]float32, b.rows*b.length), make([]int32, 3*b.rows)
	for r := range b.rows {
		q := rows[b.slot(r)]
		copy(share[r*b.length:], Shares(q.pooling, int(lengths[r]), b.length))
		place[r], place[b.rows+r], place[2*b.rows+r] = int32(q.from), int32(q.to), int32(q.label)
	}
	return []*gmlx.Tensor{gmlx.FromFlatDataAndDimensions(share, b.rows, b.length), gmlx.FromFlatDataAndDimensions(place, 3, b.rows)}
}

// Shares are each token's share of the vector of a text of n tokens, padded to a length.
func Shares(pooling string, n, length int) []float32 {
	share := make([]float32, length)
	switch pooling {
	case "cls":
		share[0] = 1
	case "last":
		share[n-1] = 1
	default:
		for i := range n {
			share[i] = 1 / float32(n)
		}
	}
	return share
}

// program builds a mode's graph: arguments are ids, lengths, the batch's own, those
// of the mode, and the model's weights.
func (d *Texts) program(m mode) func(args []*graph.Node) []*graph.Node {
	return func(args []*graph.Node) []*graph.Node {
		own := args[:len(args)-len(d.model.Tensors)]
		w := d.named(args[len(own):])
		return d.finish(m, w, d.model.Text.Hidden(w, own[0], own[1]), own)
	}
}

// finish is what a mode returns of a model's vectors; own are the arguments of a batch
// and of the mode.
func (d *Texts) finish(m mode, w models.Weights, hidden *graph.Node, own []*graph.Node) []*graph.Node {
	switch m {
	case tokens:
		return []*graph.Node{likelihood(d.model.Text, w, hidden, own[0], own[1], own[2])}
	case vectors:
		v := graph.Einsum("bt,btd->bd", own[2], hidden)
		norm := graph.Sqrt(graph.ReduceAndKeep(graph.Mul(v, v), graph.ReduceSum, -1))
		return []*graph.Node{graph.Div(v, graph.MaxScalar(norm, 1e-12))}
	}
	v := graph.Einsum("bt,btd->bd", own[2], hidden)
	return d.classify(linear(v, own[4], own[5]), own[3])
}

// named gives the model's weights by name, as float32.
func (d *single) named(list []*graph.Node) models.Weights { return named(d.model.Names(), list) }

// named gives weights by their names, as float32.
func named(names []string, list []*graph.Node) models.Weights {
	stored := map[string]*graph.Node{}
	for i, name := range names {
		stored[name] = list[i]
	}
	return func(name string) *graph.Node { return graph.ConvertDType(stored[name], dtypes.Float32) }
}

// linear is what heads, side by side, make of vectors, float32 [rows, classes].
func linear(v, weight, bias *graph.Node) *graph.Node {
	return graph.Add(graph.Einsum("bd,cd->bc", v, weight), graph.InsertAxes(bias, 0))
}

// classify returns the class of each row of logits [rows, classes] among its task's and
// the log-likelihood of the right one: int32 and float32 [rows]; and those at all
// temperatures where a set needs them. place is the first class of the task, the one
// after the last, and the right one, int32 [3, rows].
func (d *single) classify(logits, place *graph.Node) []*graph.Node {
	rows := logits.Shape().Dim(0)
	at := graph.Iota(logits.Graph(), shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 1)
	column := func(i int) *graph.Node {
		return graph.BroadcastToShape(graph.Reshape(graph.SliceAxis(place, 0, graph.AxisElem(i)), rows, 1), at.Shape())
	}
	from, to, label := column(0), column(1), column(2)
	mine := graph.LogicalAnd(graph.GreaterOrEqual(at, from), graph.LessThan(at, to))
	logits = graph.Where(mine, logits, graph.MulScalar(graph.OnesLike(logits), -1e30))
	logLik := graph.LogSoftmax(logits, -1)
	right := graph.ReduceSum(graph.Where(graph.Equal(at, label), logLik, graph.ZerosLike(logLik)), -1)
	first := graph.Reshape(graph.SliceAxis(place, 0, graph.AxisElem(0)), rows)
	out := []*graph.Node{graph.Sub(graph.ArgMax(logits, -1, dtypes.Int32), first), right}
	if d.tempered {
		out = append(out, tempered(logits, graph.ConvertDType(graph.Equal(at, label), dtypes.Float32)))
	}
	return out
}

// likelihood returns the sum of the log-likelihoods of each sequence's tokens from a
// place on, float32 [rows].
func likelihood(m *models.Text, w models.Weights, hidden, ids, lengths, from *graph.Node) *graph.Node {
	b, t := ids.Shape().Dim(0), ids.Shape().Dim(1)
	logits, sum := shifted(m.Logits(w, graph.SliceAxis(hidden, 1, graph.AxisRange(0, t-1)))) // of the token behind each
	token := graph.Sub(picked(logits, graph.SliceAxis(ids, 1, graph.AxisRange(1, t))), sum)
	place := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, t-1), 1)
	place = graph.AddScalar(place, 1)
	wide := func(x *graph.Node) *graph.Node {
		return graph.BroadcastToShape(graph.InsertAxes(x, -1), place.Shape())
	}
	counts := graph.LogicalAnd(graph.GreaterOrEqual(place, wide(from)), graph.LessThan(place, wide(lengths)))
	return graph.ReduceSum(graph.Where(counts, token, graph.ZerosLike(token)), -1)
}

// shifted are logits [B, T, V] less the largest of each token, and the logarithm of the
// sum of their exponentials [B, T]: a logit less that is a log-likelihood.
func shifted(logits *graph.Node) (less, sum *graph.Node) {
	top := graph.StopGradient(graph.ReduceAndKeep(logits, graph.ReduceMax, -1))
	less = graph.Sub(logits, top)
	return less, graph.Log(graph.ReduceSum(graph.Exp(less), -1))
}

// picked is what logits [B, T, V] are at ids, int32 [B, T].
func picked(logits, ids *graph.Node) *graph.Node {
	at := graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 2)
	hit := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(ids, -1), at.Shape()))
	return graph.ReduceSum(graph.Where(hit, logits, graph.ZerosLike(logits)), -1)
}

// scored returns, of ids [B, T], the log-likelihood of the token behind each place, the
// id that is likeliest there, and its log-likelihood: float32, int32 and float32 [B, T].
// Behind the last is nothing: its first number says nothing.
func scored(m *models.Text, w models.Weights, hidden, ids *graph.Node) []*graph.Node {
	t := ids.Shape().Dim(1)
	logits := m.Logits(w, hidden)
	less, sum := shifted(logits)
	next := graph.Concatenate([]*graph.Node{graph.SliceAxis(ids, 1, graph.AxisRange(1, t)), graph.SliceAxis(ids, 1, graph.AxisRange(0, 1))}, 1)
	return []*graph.Node{graph.Sub(picked(less, next), sum), graph.ArgMax(logits, -1, dtypes.Int32), graph.Neg(sum)}
}
