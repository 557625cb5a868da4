package evaluate

import "github.com/mergevo/mergevo/evaluate/models"

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
}

const unrollLimit = 512

const activationBudget = 512 << 20

func NewPlan(m *models.Model, population, examples int, gpu bool) Plan {
	if m.Text != nil {
		return textPlan(m.Text, gpu)
	}
	p := Plan{Slice: max(1, population), Rows: max(1, examples)}
	p.Unrolled = !gpu && p.Slice*len(m.Tensors) <= unrollLimit
	fit := max(1, activationBudget/p.rowBytes(m))
	if calls := (p.Rows + fit - 1) / fit; calls > 1 {
		p.Rows = (examples + calls - 1) / calls
	}
	return p
}

func (p Plan) rowBytes(m *models.Model) int {
	live := 2
	if !p.Unrolled {
		live *= p.Slice
	}
	return 4 * m.Widest * live
}

func textPlan(m *models.Text, gpu bool) Plan {
	p := Plan{Slice: 1, Rows: 1, Tokens: 2048}
	budget := activationBudget
	if gpu {
		p.Tokens, budget = 65536, 8*activationBudget
	}
	p.Tokens = max(256, min(p.Tokens, budget/tokenBytes(m)))
	return p
}

func tokenBytes(m *models.Text) int {
	n := 4 * m.Wide
	if m.Logits != nil {
		n += 8 * m.Vocabulary
	}
	return n
}

func (p Plan) Activations(m *models.Model) int64 {
	if m.Text != nil {
		longest := longestByDefault
		return int64(p.Tokens) * int64(tokenBytes(m.Text)+4*m.Text.Heads*longest)
	}
	return int64(p.Rows) * int64(p.rowBytes(m))
}
