package tensors

// ParseJournal returns the shards that a journal names.
func ParseJournal(raw []byte) ([]string, error) {
	_, shards, err := parseJournal(raw)
	var names []string
	for _, s := range shards {
		names = append(names, s.Shard)
	}
	return names, err
}

// Left returns the bytes for which Create wants room.
func (w *Writer) Left() int64 { return w.left.Load() }

// The most files that are open at a time.
const MaxOpen = maxOpen + maxSealing
