package evaluate

import (
	"fmt"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// Plan fixes the shapes of the compiled graphs. It is chosen once for a run and
// stored with it: other shapes are other kernels with other bits.
type Plan struct {
	// Slice is the number of candidates a device call scores.
	Slice int `json:"slice"`
	// Unrolled runs the forward pass once a candidate inside the graph; otherwise
	// the population is a batch axis of each product.
	Unrolled bool `json:"unrolled"`
	// Rows is the number of examples a device call takes.
	Rows int `json:"rows"`
	// Tokens is about the number of tokens that a device call takes, of a model that
	// reads texts: each candidate goes through the device by itself then.
	Tokens int `json:"tokens,omitempty"`
	// Blocks runs a model that reads texts a layer at a time, so that candidates of any
	// number of layers share their graphs.
	Blocks bool `json:"blocks,omitempty"`
	// Layerwise merges a layer of a model that reads texts when the examples have come to
	// it, and frees it behind them: what is held of a candidate is one layer and what lies
	// outside layers.
	Layerwise bool `json:"layerwise,omitempty"`
	// Narrow keeps the weights in the type they are written in even while tokens are
	// written one by one, a step of which is too small to convert them in.
	Narrow bool `json:"narrow,omitempty"`
}

// unrollLimit bounds weights times candidates in an unrolled graph, whose
// compilation takes about a second a hundred.
const unrollLimit = 512

// activationBudget bounds the activations of one device call, in bytes.
const activationBudget = 512 << 20

// NewPlan chooses shapes for a population of up to population candidates on
// examples examples. On a CPU unrolling is as fast as a population axis and gives
// the compiler one candidate's working set at a time; a GPU wants large products,
// and deep models compile too slowly when unrolled.
func NewPlan(m *models.Model, population, examples int, gpu bool) Plan {
	if m.Text != nil {
		return textPlan(m.Text, gpu)
	}
	if m.Image != nil {
		return imagePlan(m.Image, examples, gpu)
	}
	p := Plan{Slice: max(1, population), Rows: max(1, examples)}
	p.Unrolled = !gpu && p.Slice*len(m.Tensors) <= unrollLimit
	fit := max(1, activationBudget/p.rowBytes(m))
	if calls := (p.Rows + fit - 1) / fit; calls > 1 {
		p.Rows = (examples + calls - 1) / calls
	}
	return p
}

// apart reports whether a sequential model's weights are made before the graph that
// reads them, and not inside: where parents are not on the device, and always those of
// convolutions. A compiler lays out weights that it makes itself as it likes best, and
// a convolution then sums in another order: scores would depend on the place.
func (p Plan) apart(m *models.Model, at merge.Placement) bool {
	if at != merge.OnDevice {
		return true
	}
	for _, t := range m.Tensors {
		if len(t.Shape) > 2 {
			return true
		}
	}
	return false
}

// rowBytes estimates the activations of one example in a device call.
func (p Plan) rowBytes(m *models.Model) int {
	live := 2
	if !p.Unrolled {
		live *= p.Slice
	}
	return 4 * m.Widest * live
}

// textPlan fills a call with as many tokens as keep the device busy and fit. More
// than some thousand make a CPU slower, not faster.
func textPlan(m *models.Text, gpu bool) Plan {
	return Plan{Slice: 1, Rows: 1, Tokens: max(256, fill(tokenBytes(m), gpu))}
}

// fill is the number of vectors, of so many bytes each, that a device call takes.
func fill(each int, gpu bool) int {
	n, budget := 2048, activationBudget
	if gpu {
		n, budget = 65536, 8*activationBudget
	}
	return min(n, budget/each)
}

// imagePlan fills calls with as many images as textPlan does with tokens, and all
// calls alike.
func imagePlan(m *models.Image, examples int, gpu bool) Plan {
	rows := max(1, fill(placeBytes(m), gpu)/m.Places)
	calls := max(1, (examples+rows-1)/rows)
	return Plan{Slice: 1, Rows: max(1, (examples+calls-1)/calls)}
}

// placeBytes estimates what a place of an image takes in a device call, with what it
// looks at the others by.
func placeBytes(m *models.Image) int { return 4 * (m.Wide + m.Heads*m.Places) }

// tokenBytes estimates what a token takes in a device call, its logits included.
func tokenBytes(m *models.Text) int {
	n := 4 * m.Wide
	if m.Logits != nil {
		n += 8 * m.Vocabulary
	}
	return n
}

// String says a plan in words.
func (p Plan) String() string {
	if p.Tokens == 0 {
		return fmt.Sprintf("%d candidates and %d examples a call", p.Slice, p.Rows)
	}
	text := fmt.Sprintf("%d tokens a call", p.Tokens)
	if p.Narrow {
		text += " and weights as they are written"
	}
	if p.Layerwise {
		text += ", merged a layer at a time"
	}
	return text
}

// fewestTokens is the least that a call of texts is lowered to.
const fewestTokens = 256

// Lowering says what a plan may be lowered by, besides fewer examples a call.
type Lowering struct {
	// Narrow says that weights are kept as float32 for nothing but speed.
	Narrow bool
	// Layerwise says that a layer at a time will do, see [Layered].
	Layerwise bool
}

// Lower returns the next plan of less memory, false where there is none: first the
// weights of what writes tokens are narrow, then models are held a layer at a time, then
// calls take half the tokens, or half the examples or candidates, whichever take more
// room.
func (p Plan) Lower(m *models.Model, by Lowering) (Plan, bool) {
	if m.Text != nil {
		switch {
		case by.Narrow && !p.Narrow:
			p.Narrow = true
		case by.Layerwise && !p.Layerwise:
			p.Layerwise = true
		case p.Tokens > fewestTokens:
			p.Tokens = max(fewestTokens, p.Tokens/2)
		default:
			return p, false
		}
		return p, true
	}
	if m.Image != nil {
		if p.Rows == 1 {
			return p, false
		}
		p.Rows = (p.Rows + 1) / 2
		return p, true
	}
	weights := 0
	for _, t := range m.Tensors {
		weights += 4 * t.Len()
	}
	switch rows := p.Rows * p.rowBytes(m); {
	case p.Rows > 1 && (rows >= p.Slice*weights || p.Slice == 1):
		p.Rows = (p.Rows + 1) / 2
	case p.Slice > 1:
		p.Slice = (p.Slice + 1) / 2
	default:
		return p, false
	}
	return p, true
}
