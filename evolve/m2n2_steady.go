package evolve

// InFlight implements Steady.
func (m *M2N2[G]) InFlight() int {
	if !m.options.Steady {
		return 1
	}
	return m.options.InFlight
}

// fill breeds what the told results allow: children follow when all seeds are told.
func (m *M2N2[G]) fill() {
	if m.first <= uint64(m.seeds) {
		if m.pending == nil {
			m.pending = m.seedlings()[m.first-1:]
		}
		return
	}
	m.bear(m.options.InFlight)
}

// steadyState is state, and what is in flight: it was bred of archives that were.
func (m *M2N2[G]) steadyState(f fields) {
	m.state(f)
	count := len(m.pending)
	f.int("pending", &count, 0, maxPopulation)
	if f.reading() {
		if !f.ok() {
			return
		}
		m.options.Steady = true
		m.pending = make([]Candidate[G], count)
	}
	for i := range m.pending {
		c := &m.pending[i]
		f.uint(&c.ID)
		if f.reading() && f.ok() && c.ID != m.first+uint64(i) {
			f.fail("candidate %d is pending in the place of %d", c.ID, m.first+uint64(i))
		}
		f.ids("parents", &c.Parents, 2)
		m.genome(f, "pending candidate", c)
		if !f.ok() {
			return
		}
	}
	if len(m.pending) == 0 {
		m.pending = nil
	}
}

// genome reads or writes a candidate's.
func (m *M2N2[G]) genome(f fields, what string, c *Candidate[G]) {
	var data []byte
	if !f.reading() {
		data = m.breeder.Marshal(c.Genome)
	}
	f.bytes("genome", &data)
	if f.reading() && f.ok() {
		g, err := m.breeder.Unmarshal(data)
		if err != nil {
			f.fail("the genome of %s %d: %v", what, c.ID, err)
		}
		c.Genome = g
	}
}
