package merge

// Gram holds the inner products of some vectors with each other, symmetric.
type Gram [][]float64

type gramKey struct {
	deltas bool
	rows   Rows
}

// whole is a tensor as one row.
func (p *Profile) whole() Rows { return Rows{Count: 1, Div: max(1, p.n), Mod: 1} }

// rowsOf are the rows of some coefficients: the whole tensor where it is not in rows.
func (p *Profile) rowsOf(out Coefs) Rows {
	if out.rows.Count == 0 {
		return p.whole()
	}
	return out.rows
}

// Gram returns the inner products of the base (first, if there is one) and the
// sources with each other, over the whole tensor.
func (p *Profile) Gram() (Gram, error) {
	g, err := p.gramsOf(gramKey{rows: p.whole()})
	if err != nil {
		return nil, err
	}
	return g[0], nil
}

// DeltaGrams returns the inner products of the task vectors (of the sources
// themselves, without a base), for each row.
func (p *Profile) DeltaGrams(r Rows) ([]Gram, error) {
	return p.gramsOf(gramKey{deltas: true, rows: r})
}

func (p *Profile) gramsOf(k gramKey) ([]Gram, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g, ok := p.grams[k]; ok {
		return g, nil
	}
	g, err := p.measureGrams(k)
	if err == nil {
		p.grams[k] = g
	}
	return g, err
}

// measureGrams reads the tensors once. Sums run in index order within blocks and
// over blocks, so they are the same whoever asks.
func (p *Profile) measureGrams(k gramKey) ([]Gram, error) {
	vectors := len(p.source)
	if !k.deltas && p.base != nil {
		vectors++
	}
	grams := make([]Gram, k.rows.Count)
	flat := make([]float64, k.rows.Count*vectors*vectors)
	for r := range grams {
		grams[r] = make(Gram, vectors)
		for i := range grams[r] {
			grams[r][i], flat = flat[:vectors:vectors], flat[vectors:]
		}
	}
	blocks := make([][]float32, vectors)
	for i := range blocks {
		blocks[i] = make([]float32, blockLen)
	}
	scratch := make([]float32, blockLen)
	for off := 0; off < p.n; off += blockLen {
		n := min(blockLen, p.n-off)
		for i, b := range blocks {
			var err error
			switch at := i - (vectors - len(p.source)); {
			case k.deltas:
				err = p.delta(i, off, b[:n], scratch)
			case at < 0:
				err = p.base.ReadAt(b[:n], p.tensor, off)
			default:
				err = p.source[at].ReadAt(b[:n], p.tensor, off)
			}
			if err != nil {
				return nil, err
			}
		}
		for i := range blocks {
			for j := 0; j <= i; j++ {
				addProducts(grams, k.rows, off, i, j, blocks[i][:n], blocks[j][:n])
			}
		}
	}
	for _, g := range grams {
		for i := range g {
			for j := range i {
				g[j][i] = g[i][j]
			}
		}
	}
	return grams, nil
}

// addProducts adds a block's products to the rows that its elements are of.
func addProducts(grams []Gram, r Rows, off, i, j int, a, b []float32) {
	if r.Div == 1 && r.Count > 1 {
		row := off % r.Mod
		for e, x := range a {
			grams[row][i][j] += float64(x) * float64(b[e])
			if row++; row == r.Mod {
				row = 0
			}
		}
		return
	}
	for len(a) > 0 {
		n := min(len(a), r.Div-off%r.Div)
		grams[off/r.Div%r.Mod][i][j] += dot(a[:n], b[:n])
		a, b, off = a[n:], b[n:], off+n
	}
}

// dot sums in four lanes, so that a sum need not wait for the one before it.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(a) >= 4 && len(b) >= 4; a, b = a[4:], b[4:] {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
	}
	for i, x := range a {
		s0 += float64(x) * float64(b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
