package evaluate

import "github.com/mergevo/mergevo/evaluate/models"

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

// Activations estimates the bytes between the layers in one device call.
func (p Plan) Activations(m *models.Model) int64 {
	if m.Text != nil {
		longest := longestByDefault
		return int64(p.Tokens) * int64(tokenBytes(m.Text)+4*m.Text.Heads*longest)
	}
	if m.Image != nil {
		return int64(p.Rows*m.Image.Places) * int64(placeBytes(m.Image))
	}
	return int64(p.Rows) * int64(p.rowBytes(m))
}
