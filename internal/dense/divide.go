package dense

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/lapack"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
)

// leaf is the size of what is not divided any more.
const leaf = 48

// divide returns the eigenvalues of a tridiagonal matrix, ascending, and its
// eigenvectors as columns: those of its halves, joined (Cuppen 1981; Gu & Eisenstat
// 1995, A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem). d
// and e are overwritten. ok is false where the halves have none.
func divide(d, e []float64, q Matrix, scratch *joining) (ok bool) {
	n := len(d)
	if n <= leaf {
		z := make([]float64, n*n)
		var l lapackgonum.Implementation
		if !l.Dsteqr(lapack.EVTridiag, n, d, e, z, n, make([]float64, max(1, 2*n-2))) {
			return false
		}
		q.Copy(Of(n, n, z))
		return true
	}
	m := n / 2
	rho := e[m-1]
	d[m-1] -= math.Abs(rho)
	d[m] -= math.Abs(rho)
	if !divide(d[:m], e[:m-1], q.Part(0, m, 0, m), scratch) || !divide(d[m:], e[m:], q.Part(m, n, m, n), scratch) {
		return false
	}
	scratch.join(d, q, m, rho)
	return true
}

// joining joins the halves of a matrix, in memory that it keeps.
type joining struct{ a, b, c []float64 }

func newJoining(n int) *joining {
	return &joining{make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)}
}

// column is an eigenvector of a half, or a mixture of two.
type column struct {
	at          int // in q
	d, z        float64
	top, bottom bool // which halves it has entries in
}

// join finds the eigenvalues and vectors of diag(d) + |rho| z z^T, in the basis of
// the columns of q, whose first m have entries in the first m rows and the others in
// the others. z is the last row of the one half beside the first of the other.
func (s *joining) join(d []float64, q Matrix, m int, rho float64) {
	n := len(d)
	cols := make([]column, n)
	for j := range cols {
		cols[j] = column{at: j, d: d[j], top: j < m, bottom: j >= m}
		if j < m {
			cols[j].z = q.At(m-1, j)
		} else {
			cols[j].z = math.Copysign(1, rho) * q.At(m, j)
		}
	}
	rho = math.Abs(rho)
	slices.SortStableFunc(cols, func(a, b column) int {
		switch {
		case a.d < b.d:
			return -1
		case a.d > b.d:
			return 1
		}
		return 0
	})
	live, done := deflate(cols, q, rho)
	k := len(live)
	if k > 0 {
		dk, zk := make([]float64, k), make([]float64, k)
		for i, c := range live {
			dk[i], zk[i] = c.d, c.z
		}
		vectors := Of(k, k, s.a)
		values := secular(dk, zk, rho, vectors)
		s.multiply(q, m, live, vectors)
		for i, x := range values {
			live[i].d = x
		}
	}
	// Every eigenvector to its place.
	all := slices.Concat(live, done)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case all[a].d < all[b].d:
			return -1
		case all[a].d > all[b].d:
			return 1
		}
		return 0
	})
	sorted := Of(n, n, s.a)
	Each((n+63)/64, func(g int) {
		for i := 64 * g; i < min(64*g+64, n); i++ {
			from, to := q.row(i), sorted.row(i)
			for j, o := range order {
				to[j] = from[all[o].at]
			}
			copy(from, to)
		}
	})
	for j, o := range order {
		d[j] = all[o].d
	}
}

// deflate sets aside the columns that the update of rank one leaves as they are: where
// z is nothing, and of two with nearly the same d all of z is turned into one.
func deflate(cols []column, q Matrix, rho float64) (live, done []column) {
	var most, norm float64
	for _, c := range cols {
		most = max(most, math.Abs(c.d))
		norm += c.z * c.z
	}
	tol := 8 * epsilon * max(most, rho*norm)
	for _, c := range cols {
		if rho*math.Abs(c.z)*math.Sqrt(norm) <= tol {
			done = append(done, c)
			continue
		}
		if len(live) == 0 {
			live = append(live, c)
			continue
		}
		p := &live[len(live)-1]
		r := math.Hypot(p.z, c.z)
		cs, sn := c.z/r, p.z/r
		if math.Abs((c.d-p.d)*cs*sn) > tol {
			live = append(live, c)
			continue
		}
		// Rotated so that the z of the one before is 0: it is done.
		for i := range q.Rows {
			row := q.row(i)
			x, y := row[p.at], row[c.at]
			row[p.at], row[c.at] = cs*x-sn*y, sn*x+cs*y
		}
		top, bottom := p.top || c.top, p.bottom || c.bottom
		before := column{at: p.at, d: p.d*cs*cs + c.d*sn*sn, top: top, bottom: bottom}
		c.d, c.z, c.top, c.bottom = p.d*sn*sn+c.d*cs*cs, r, top, bottom
		done = append(done, before)
		*p = c
	}
	return live, done
}

// multiply replaces the live columns of q by their combinations.
func (s *joining) multiply(q Matrix, m int, live []column, vectors Matrix) {
	n, k := q.Rows, len(live)
	for _, half := range []struct {
		i0, i1 int
		there  func(c column) bool
	}{{0, m, func(c column) bool { return c.top }}, {m, n, func(c column) bool { return c.bottom }}} {
		var which []int
		for i, c := range live {
			if half.there(c) {
				which = append(which, i)
			}
		}
		rows := half.i1 - half.i0
		// The part of the columns that has entries here, times its rows of the vectors.
		part, weights := Of(rows, len(which), s.b), Of(len(which), k, s.b[rows*len(which):])
		if rows*len(which)+len(which)*k > len(s.b) {
			weights = New(len(which), k)
		}
		for i := range rows {
			from, to := q.row(half.i0+i), part.row(i)
			for x, w := range which {
				to[x] = from[live[w].at]
			}
		}
		for x, w := range which {
			copy(weights.row(x), vectors.row(w))
		}
		out := Of(rows, k, s.c)
		Mul(out, part, weights)
		for i := range rows {
			from, to := out.row(i), q.row(half.i0+i)
			for x, c := range live {
				to[c.at] = from[x]
			}
		}
	}
	for i := range live {
		live[i].top, live[i].bottom = true, true
	}
}
