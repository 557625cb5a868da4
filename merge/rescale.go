package merge

// total returns sum |d| of a source. The caller holds the lock.
func (p *Profile) total(source int) (float64, error) {
	if p.hasTotal[source] {
		return p.totalL1[source], nil
	}
	s, err := p.sumKept(source, func(float32, uint32) bool { return true })
	if err == nil {
		p.totalL1[source], p.hasTotal[source] = s, true
	}
	return s, err
}

func (p *Profile) sumKept(source int, keep func(mag float32, index uint32) bool) (float64, error) {
	var sum float64
	err := p.magnitudes(source, func(off int, mag []float32) {
		var block float64
		for i, m := range mag {
			if keep(m, uint32(off+i)) {
				block += float64(m)
			}
		}
		sum += block
	})
	return sum, err
}

// rescaleTop returns sum|d| / sum|kept d| for the entries at or above a cut.
func (p *Profile) rescaleTop(source int, c Cut) (float64, error) {
	return p.rescale(keptKey{source: source, top: true, low: c}, c.Top)
}

// rescaleBand is rescaleTop for the entries below one cut and not below another.
func (p *Profile) rescaleBand(source int, low, high Cut) (float64, error) {
	return p.rescale(keptKey{source: source, low: low, high: high}, func(m float32, i uint32) bool {
		return high.Below(m, i) && !low.Below(m, i)
	})
}

func (p *Profile) rescale(k keptKey, keep func(float32, uint32) bool) (float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.keptL1[k]; ok {
		return f, nil
	}
	all, err := p.total(k.source)
	if err != nil {
		return 0, err
	}
	kept, err := p.sumKept(k.source, keep)
	if err != nil {
		return 0, err
	}
	p.keptL1[k] = ratioL1(all, kept)
	return p.keptL1[k], nil
}

// ratioL1 is mergekit's L1 match: no rescale where either sum is next to nothing.
func ratioL1(all, kept float64) float64 {
	if all < 1e-7 || kept < 1e-7 {
		return 1
	}
	return all / kept
}

// noise returns the key of a source's noise.
func (p *Profile) noise(source int) [2]uint32 { return noiseKey(p.seed, source, p.tensor) }

// noiseBins holds sum |d| by the top ten bits of the noise, so that the mass kept
// at any density of the grid is a prefix sum, the same whoever asks.
type noiseBins [densityGrid]float64

// rescaleNoise returns sum|d| / sum|kept d| of a source for DARE at density p: the
// whole bins below p, then the part of the bin that p cuts.
func (p *Profile) rescaleNoise(source int, density float64) (float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bins, err := p.bins(source)
	if err != nil {
		return 0, err
	}
	const shift = 32 - 10
	count := noiseCount(density)
	whole := int(count >> shift)
	var all, kept float64
	for i, s := range bins {
		all += s
		if i < whole {
			kept += s
		}
	}
	if count&(1<<shift-1) != 0 {
		key, limit := p.noise(source), noiseLimit(density)
		part, err := p.sumKept(source, func(_ float32, i uint32) bool {
			h := noiseAt(key, i)
			return int(h>>shift) == whole && h <= limit
		})
		if err != nil {
			return 0, err
		}
		kept += part
	}
	return ratioL1(all, kept), nil
}

func (p *Profile) bins(source int) (*noiseBins, error) {
	if p.noiseL1[source] != nil {
		return p.noiseL1[source], nil
	}
	key := p.noise(source)
	var bins noiseBins
	noise := make([]uint32, blockLen)
	err := p.magnitudes(source, func(off int, mag []float32) {
		drawn := noise[:len(mag)]
		noise32(drawn, key, uint32(off))
		for i, m := range mag {
			bins[drawn[i]>>22] += float64(m)
		}
	})
	if err != nil {
		return nil, err
	}
	p.noiseL1[source] = &bins
	return &bins, nil
}
