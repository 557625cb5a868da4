package evaluate

// Merges counts the device calls that made weights.
func (d *Texts) Merges() int { return d.mergers.calls }
