package statistics

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// question is the logarithm of the probability of one answer to one example, and with
// which factor the square of its gradient counts: scalars.
type question struct{ log, factor *graph.Node }

// ask builds the questions of one call of its own arguments.
type ask func(w models.Weights, own []*graph.Node) []question

// The ways of asking: behind ofImages one for each set, whose classes are its own.
const (
	ofClasses mode = iota
	ofChoices
	ofTexts
	ofImages
)

// asks are the programs by mode.
func (n *Network) asks(sets []*evaluate.Dataset, l Labels) map[mode]ask {
	// factor is p(y|x), or 1 where the answer is the data's.
	factor := func(log *graph.Node) *graph.Node {
		if l.Given {
			return graph.OnesLike(log)
		}
		return graph.StopGradient(graph.Exp(log))
	}
	asks := map[mode]ask{
		// ids [1, T], lengths [1], shares of the tokens [1, T], head's weight and bias,
		// the answer int32 [1].
		ofClasses: func(w models.Weights, own []*graph.Node) []question {
			hidden := n.model.Text.Hidden(w, own[0], own[1])
			v := graph.Einsum("bt,btd->bd", own[2], hidden)
			logits := graph.Add(graph.Einsum("bd,cd->bc", v, own[3]), graph.InsertAxes(own[4], 0))
			log := picked(logits, own[5])
			return []question{{log, factor(log)}}
		},
		// ids [K, T] of each option, lengths [K], the first tokens that count [K], the answer
		// int32 [1].
		ofChoices: func(w models.Weights, own []*graph.Node) []question {
			logits, next, counts := n.tokens(w, own[0], own[1], own[2])
			each := graph.ReduceSum(graph.Mul(tokenLogs(logits, next), counts), -1)
			log := picked(graph.InsertAxes(each, 0), own[3])
			return []question{{log, factor(log)}}
		},
		// ids [1, T], lengths [1], the first token that counts [1], and a key of the draws
		// uint32 [2]. Draws of one token are independent of the others', so that in
		// expectation the square of the sum is the sum of the squares.
		ofTexts: func(w models.Weights, own []*graph.Node) []question {
			logits, next, counts := n.tokens(w, own[0], own[1], own[2])
			share := 1.0
			if !l.Given {
				next, share = drawn(logits, own[3]), 1/float64(l.Samples)
			}
			log := graph.ReduceAllSum(graph.Mul(tokenLogs(logits, next), counts))
			return []question{{log, graph.MulScalar(graph.OnesLike(log), share)}}
		},
	}
	for i, d := range sets {
		logits := n.imageLogits(d)
		// x [B, Input...], the answers int32 [B], and 1 for rows that count, 0 for padding;
		// then what the classes of a model of images are made of.
		asks[ofImages+mode(i)] = func(w models.Weights, own []*graph.Node) (out []question) {
			for b := range own[0].Shape().Dim(0) {
				row := func(x *graph.Node) *graph.Node { return graph.SliceAxis(x, 0, graph.AxisRange(b, b+1)) }
				log := picked(logits(w, row(own[0]), own[3:]), row(own[1]))
				counts := graph.Reshape(row(own[2]))
				out = append(out, question{log, graph.Mul(factor(log), counts)})
			}
			return out
		}
	}
	return asks
}

// imageLogits are the logits [B, classes] of images of a set.
func (n *Network) imageLogits(d *evaluate.Dataset) func(w models.Weights, x *graph.Node, args []*graph.Node) *graph.Node {
	if n.model.Image != nil {
		return evaluate.NewImageLogits(n.model, d).Of
	}
	return func(w models.Weights, x *graph.Node, _ []*graph.Node) *graph.Node {
		return graph.Squeeze(n.model.Forward(w, n.images(x)), 0)
	}
}

// picked is the log-probability of an answer [1] among logits [1, C].
func picked(logits, answer *graph.Node) *graph.Node {
	logs := graph.LogSoftmax(logits, -1)
	return graph.ReduceAllSum(graph.Mul(logs, graph.OneHot(answer, logits.Shape().Dim(1), dtypes.Float32)))
}

// tokens are the logits of each next token [B, T-1, V], those tokens, and 1 for those
// that count.
func (n *Network) tokens(w models.Weights, ids, lengths, from *graph.Node) (logits, next, counts *graph.Node) {
	b, t := ids.Shape().Dim(0), ids.Shape().Dim(1)
	hidden := n.model.Text.Hidden(w, ids, lengths)
	logits = n.model.Text.Logits(w, graph.SliceAxis(hidden, 1, graph.AxisRange(0, t-1)))
	next = graph.SliceAxis(ids, 1, graph.AxisRange(1, t))
	place := graph.AddScalar(graph.Iota(ids.Graph(), shapes.Make(dtypes.Int32, b, t-1), 1), 1)
	wide := func(x *graph.Node) *graph.Node {
		return graph.BroadcastToShape(graph.InsertAxes(x, -1), place.Shape())
	}
	counted := graph.LogicalAnd(graph.GreaterOrEqual(place, wide(from)), graph.LessThan(place, wide(lengths)))
	return logits, next, graph.ConvertDType(counted, dtypes.Float32)
}

// tokenLogs are the log-probabilities of tokens [B, T] by logits [B, T, V].
func tokenLogs(logits, tokens *graph.Node) *graph.Node {
	logs := graph.LogSoftmax(logits, -1)
	at := graph.Iota(logits.Graph(), shapes.Make(dtypes.Int32, logits.Shape().Dimensions...), 2)
	hit := graph.Equal(at, graph.BroadcastToShape(graph.InsertAxes(tokens, -1), at.Shape()))
	return graph.ReduceSum(graph.Where(hit, logs, graph.ZerosLike(logs)), -1)
}

// drawn are tokens as the model draws them, int32 [B, T]: the largest of the logits with
// noise of Gumbel's distribution, made of a counter hash of the key and the place.
func drawn(logits, key *graph.Node) *graph.Node {
	logits = graph.StopGradient(logits)
	g, dims := logits.Graph(), logits.Shape().Dimensions
	index := graph.Reshape(graph.Iota(g, shapes.Make(dtypes.Uint32, logits.Shape().Size()), 0), dims...)
	word := func(i int) *graph.Node { return graph.Reshape(graph.SliceAxis(key, 0, graph.AxisElem(i))) }
	h := merge.Mix32(graph.Add(merge.Mix32(graph.BitwiseXor(index, graph.BroadcastToDims(word(0), dims...))), word(1)))
	// 23 bits and a half: exact in float32, and neither 0 nor 1.
	u := graph.ConvertDType(graph.BitwiseShiftRightLogicalScalar(h, uint32(9)), dtypes.Float32)
	u = graph.MulScalar(graph.AddScalar(u, 0.5), 0x1p-23)
	return graph.ArgMax(graph.Sub(logits, graph.Log(graph.Neg(graph.Log(u)))), -1, dtypes.Int32)
}
