package dense

import "math"

const epsilon = 0x1p-53

// secular returns the eigenvalues of diag(d) + rho z z^T, ascending, and fills the
// columns of vectors with the eigenvectors: d ascends and no z is 0, rho is positive.
// Eigenvalue j lies between d[j] and the next; what is kept of it is its distance to
// each d, and from those the z is made of which it is the exact eigenvalue, so that
// vectors are orthogonal however near two of them are (Gu & Eisenstat 1994, A stable
// and efficient algorithm for the rank-one modification).
func secular(d, z []float64, rho float64, vectors Matrix) []float64 {
	k := len(d)
	values := make([]float64, k)
	Each((k+15)/16, func(g int) {
		apart := make([]float64, k)
		for j := 16 * g; j < min(16*g+16, k); j++ {
			values[j] = root(d, z, rho, j, apart)
			for i, x := range apart {
				vectors.Set(i, j, x) // d[i] - values[j]
			}
		}
	})
	exact := make([]float64, k)
	Each((k+15)/16, func(g int) {
		for i := 16 * g; i < min(16*g+16, k); i++ {
			row := vectors.row(i)
			p := -row[i]
			for j := range k {
				if j != i {
					p *= -row[j] / (d[j] - d[i])
				}
			}
			exact[i] = math.Copysign(math.Sqrt(math.Abs(p)), z[i])
		}
	})
	Each((k+15)/16, func(g int) {
		j0, j1 := 16*g, min(16*g+16, k)
		var norm [16]float64
		for i := range k {
			row := vectors.row(i)[j0:j1]
			for j, apart := range row {
				row[j] = exact[i] / apart
				norm[j] += row[j] * row[j]
			}
		}
		for i := range k {
			row := vectors.row(i)[j0:j1]
			for j := range row {
				row[j] /= math.Sqrt(norm[j])
			}
		}
	})
	return values
}

// root finds zero j of 1/rho + sum_i z_i^2 / (d_i - x), and sets apart to d - x: the
// nearer of the poles beside it is the origin, and in a bracket that holds it a
// rational function with both poles is fitted to the sums left and right (Li 1993,
// Solving secular equations stably and efficiently; the middle way).
func root(d, z []float64, rho float64, j int, apart []float64) float64 {
	k := len(d)
	last := j == k-1
	var lo, hi, origin float64 // of the zero from the origin
	if last {
		var norm float64
		for _, x := range z {
			norm += x * x
		}
		origin, hi = d[j], rho*norm*(1+4*epsilon)
	} else {
		gap := d[j+1] - d[j]
		var f float64
		for i := range d {
			f += z[i] * z[i] / ((d[i] - d[j]) - gap/2)
		}
		if f+1/rho >= 0 {
			origin, hi = d[j], gap/2
		} else {
			origin, lo = d[j+1], -gap/2
		}
	}
	x := lo + (hi-lo)/2
	for range 100 {
		var left, dleft, right, dright, size float64
		for i := range j + 1 {
			a := (d[i] - origin) - x
			t := z[i] / a
			left += z[i] * t
			dleft += t * t
			size += math.Abs(z[i] * t)
		}
		for i := j + 1; i < k; i++ {
			a := (d[i] - origin) - x
			t := z[i] / a
			right += z[i] * t
			dright += t * t
			size += math.Abs(z[i] * t)
		}
		f := 1/rho + left + right
		if math.Abs(f) <= 4*epsilon*float64(min(k, 16))*(1/rho+size) {
			break
		}
		if f < 0 { // f ascends from pole to pole
			lo = x
		} else {
			hi = x
		}
		p := (d[j] - origin) - x
		var step float64
		if last {
			// left = c + s / (d_j - x), with its value and slope
			s, c := dleft*p*p, 1/rho+left-dleft*p
			step = p + s/c
		} else {
			q := (d[j+1] - origin) - x
			a := (p+q)*f - p*q*(dleft+dright)
			b := p * q * f
			c := f - p*dleft - q*dright
			disc := math.Sqrt(max(0, a*a-4*b*c))
			if a <= 0 {
				step = (a - disc) / (2 * c)
			} else {
				step = 2 * b / (a + disc)
			}
		}
		next := x + step
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if next == x || math.Abs(next-x) <= epsilon/4*math.Abs(x) {
			x = next
			break
		}
		x = next
	}
	for i := range d {
		apart[i] = (d[i] - origin) - x
	}
	return origin + x
}
