package evaluate

// Merges counts the device calls that made weights.
func (d *Texts) Merges() int { return d.mergers.calls }

// SetVectorBudget makes waves as small as a test wants them.
func SetVectorBudget(bytes int64) (back func()) {
	was := vectorBudget
	vectorBudget = bytes
	return func() { vectorBudget = was }
}
