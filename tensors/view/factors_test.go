package view

import "testing"

// The factors last used are kept, up to a size, and the newest in any case.
func TestFactorCacheForgets(t *testing.T) {
	third := &patch{rank: 1, rows: keepBytes / 12}
	a, b, c, d := *third, *third, *third, *third
	huge := &patch{rank: 2, rows: keepBytes}
	var cache factorCache
	first := cache.entry(&a)
	cache.entry(&b)
	if cache.entry(&a) != first {
		t.Error("what was just used is gone")
	}
	cache.entry(&c)
	cache.entry(&d) // b is the one used longest ago
	if len(cache.recent) != 3 || cache.entry(&a) != first {
		t.Errorf("%d are kept, want 3 with the first", len(cache.recent))
	}
	e := cache.entry(huge)
	if len(cache.recent) != 1 || cache.entry(huge) != e {
		t.Errorf("%d are kept beside one that fills it", len(cache.recent)-1)
	}
}
