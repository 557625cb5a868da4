package merge

import "context"

// byRows makes operands block by block of their rows, and keeps the last block: chunks
// are asked for in order, and few end where a block does.
type byRows struct {
	rows, cols, block int
	// fill sets rows [lo, hi) of every operand.
	fill func(ctx context.Context, lo, hi int, dst [][]float32) error

	lo, hi int // of the block that is kept
	kept   [][]float32
}

// At implements Derivation.
func (b *byRows) At(ctx context.Context, off int, dst [][]float32) error {
	for at := 0; at < len(dst[0]); {
		row := (off + at) / b.cols
		if row < b.lo || row >= b.hi {
			if err := b.load(ctx, row/b.block*b.block, len(dst)); err != nil {
				return err
			}
		}
		from := off + at - b.lo*b.cols
		n := min(len(dst[0])-at, (b.hi-b.lo)*b.cols-from)
		for i := range dst {
			copy(dst[i][at:at+n], b.kept[i][from:])
		}
		at += n
	}
	return nil
}

func (b *byRows) load(ctx context.Context, lo, operands int) error {
	hi := min(lo+b.block, b.rows)
	if b.kept == nil {
		b.kept = make([][]float32, operands)
		for i := range b.kept {
			b.kept[i] = make([]float32, min(b.block, b.rows)*b.cols)
		}
	}
	b.lo, b.hi = 0, 0 // nothing, if this fails
	part := make([][]float32, operands)
	for i := range part {
		part[i] = b.kept[i][:(hi-lo)*b.cols]
	}
	if err := b.fill(ctx, lo, hi, part); err != nil {
		return err
	}
	b.lo, b.hi = lo, hi
	return nil
}

// elementwise makes operands of each element's task vectors alone.
type elementwise struct {
	p *Profile
	// combine sets every operand from the task vectors, all of one length.
	combine func(deltas, dst [][]float32)
}

// At implements Derivation.
func (e elementwise) At(ctx context.Context, off int, dst [][]float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := len(dst[0])
	deltas, scratch := make([][]float32, len(e.p.source)), make([]float32, min(n, blockLen))
	for i := range deltas {
		deltas[i] = make([]float32, len(scratch))
	}
	for at := 0; at < n; at += blockLen {
		part, to := make([][]float32, len(deltas)), make([][]float32, len(dst))
		size := min(blockLen, n-at)
		for i := range deltas {
			part[i] = deltas[i][:size]
			if err := e.p.delta(i, off+at, part[i], scratch); err != nil {
				return err
			}
		}
		for i := range dst {
			to[i] = dst[i][at : at+size]
		}
		e.combine(part, to)
	}
	return nil
}

// meanOf is the mean of the task vectors as the one operand: what the methods that
// merge matrices do with other tensors.
func meanOf(p *Profile) Derivation {
	return elementwise{p, func(deltas, dst [][]float32) {
		for j := range dst[0] {
			var sum float64
			for _, d := range deltas {
				sum += float64(d[j])
			}
			dst[0][j] = float32(sum / float64(len(deltas)))
		}
	}}
}

// sharesOfMean are the parts of that mean that each source has, as an operand each.
func sharesOfMean(p *Profile) Derivation {
	return elementwise{p, func(deltas, dst [][]float32) {
		for i, d := range deltas {
			for j, x := range d {
				dst[i][j] = float32(float64(x) / float64(len(deltas)))
			}
		}
	}}
}
