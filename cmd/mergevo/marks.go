package main

import (
	"sync"

	"github.com/mergevo/mergevo/evaluate"
)

// marks are results on their way from those who score to the run. Several may score at
// once.
type marks struct {
	mu    sync.Mutex
	of    map[uint64]evaluate.Result
	total int
}

func newMarks() *marks { return &marks{of: map[uint64]evaluate.Result{}} }

func (m *marks) put(id uint64, r evaluate.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[id] = r
}

// take returns a candidate's result, once.
func (m *marks) take(id uint64) (evaluate.Result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.of[id]
	delete(m.of, id)
	return r, ok
}

// count adds candidates that were scored.
func (m *marks) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += n
}

// scored is how many candidates were scored in all.
func (m *marks) scored() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}
