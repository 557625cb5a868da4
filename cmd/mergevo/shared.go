package main

import "maps"

// shared is what searches that follow one another have in common: the first one's
// parents and examples on the device, with the graphs compiled for them, and what the
// simple merges score. A nil one shares nothing.
type shared struct {
	first *search
	key   map[string]string
	base  []*entry
}

// keyOf is all that scores depend on: what a continuation depends on, and the models.
func (s *search) keyOf() (map[string]string, error) {
	key, err := s.identity()
	if err == nil && s.store != nil {
		for _, p := range s.store.Manifest().Parents {
			key["model "+p.Ref] = p.Digest
		}
	}
	return key, err
}

// keep holds on to what a search has on the device.
func (h *shared) keep(s *search, base []*entry) {
	// Processes make candidates of one run, and programs have a journal of one.
	if h == nil || h.first != nil || len(s.devices) > 0 || s.exams.panel.runs() {
		return
	}
	if key, err := s.keyOf(); err == nil {
		h.first, h.key, h.base = s, key, base
	}
}

// fits reports whether a search is like the first one in all that scores depend on.
func (h *shared) fits(s *search) bool {
	if h == nil || h.first == nil {
		return false
	}
	key, err := s.keyOf()
	return err == nil && maps.Equal(key, h.key)
}

// holds reports whether a search's models and arena are to outlive it.
func (h *shared) holds(s *search) bool { return h != nil && h.first == s }

// close frees what is shared.
func (h *shared) close() {
	if first := h.first; first != nil {
		h.first = nil
		first.arena.close()
		first.opened.close()
	}
}
