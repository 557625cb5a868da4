package view

import (
	"fmt"
	"sync"

	"github.com/mergevo/mergevo/tensors"
)

// meanRow is the mean of all rows of a tensor, computed when first asked for.
type meanRow struct {
	source tensors.Source
	tensor string

	mu     sync.Mutex
	values []float32
}

// get returns the mean, one value a column. Sums are taken in float64, row after
// row, and rounded to float32 at the end. A failed read is tried again next time.
func (m *meanRow) get() ([]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values != nil {
		return m.values, nil
	}
	info, ok := m.source.Lookup(m.tensor)
	if !ok {
		return nil, fmt.Errorf("%s: %w: %q", m.source.Path(), tensors.ErrNoTensor, m.tensor)
	}
	rows, cols := dims(info.Shape)
	sums := make([]float64, cols)
	block := max(1, (1<<16)/max(1, cols))
	err := withScratch(&numberPool, min(block, rows)*cols, func(x []float32) error {
		for row := 0; row < rows; row += block {
			x := x[:min(block, rows-row)*cols]
			if err := m.source.ReadAt(x, m.tensor, row*cols); err != nil {
				return err
			}
			for ; len(x) > 0; x = x[cols:] {
				for j, v := range x[:cols] {
					sums[j] += float64(v)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	values := make([]float32, cols)
	for j, s := range sums {
		values[j] = float32(s / float64(rows))
	}
	m.values = values
	return values, nil
}
