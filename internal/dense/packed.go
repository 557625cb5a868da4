package dense

// Packed is a right factor laid out as products read it, for one that is used many times.
type Packed struct {
	rows, cols int
	strips     [][]float64 // by slab
}

// Pack lays out b.
func Pack(b Matrix) *Packed {
	t, p := kernel(), &Packed{rows: b.Rows, cols: b.Cols}
	slabs(b.Rows, b.Cols, func(_ int, at slab) {
		strips := make([]float64, t.size(at))
		t.lay(strips, b, at)
		p.strips = append(p.strips, strips)
	})
	return p
}

// AddMulPacked is AddMul, with the same bits.
func AddMulPacked(c, a Matrix, b *Packed, by float64) {
	t := kernel()
	slabs(b.rows, b.cols, func(i int, at slab) { t.add(c, a, b.strips[i], at, by, false) })
}

// slab is a part of a right factor: rows [k0, k0+k), columns [j0, j0+cols).
type slab struct{ k0, k, j0, cols int }

// slabs calls do for the slabs of a right factor, in the order in which they are summed.
func slabs(rows, cols int, do func(i int, at slab)) {
	i := 0
	for j0 := 0; j0 < cols; j0 += width {
		for k0 := 0; k0 < rows; k0 += depth {
			do(i, slab{k0, min(depth, rows-k0), j0, min(width, cols-j0)})
			i++
		}
	}
}

// size is how many numbers a slab has in strips of a tile's columns.
func (t tile) size(at slab) int { return (at.cols + t.cols - 1) / t.cols * t.cols * at.k }

// lay copies a slab of b into strips.
func (t tile) lay(to []float64, b Matrix, at slab) {
	n, each := (at.cols+t.cols-1)/t.cols, t.cols*at.k
	Each((n+15)/16, func(g int) {
		for s := 16 * g; s < min(16*g+16, n); s++ {
			j := at.j0 + s*t.cols
			strip(to[s*each:(s+1)*each], b.Part(at.k0, at.k0+at.k, j, min(j+t.cols, at.j0+at.cols)).T(), t.cols, 1)
		}
	})
}
