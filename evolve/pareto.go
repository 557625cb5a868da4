package evolve

import (
	"cmp"
	"math"
	"slices"
)

// objectives are what a candidate is traded off by: NaN counts as the worst.
func objectives[G any](s Scored[G]) []float64 {
	out := s.Objectives
	if len(out) == 0 {
		out = []float64{s.Value}
	}
	out = slices.Clone(out)
	for i, x := range out {
		if math.IsNaN(x) || s.Failed() {
			out[i] = math.Inf(-1)
		}
	}
	return out
}

// dominates reports whether a is at least as good in everything, and better in
// something.
func dominates(a, b []float64) bool {
	better := false
	for i := range min(len(a), len(b)) {
		if a[i] < b[i] {
			return false
		}
		better = better || a[i] > b[i]
	}
	return better
}

// ranks sorts points into fronts (Deb et al. 2002, fast non-dominated sorting): 0 for
// those that none dominates, 1 for those that only these dominate, and so on.
func ranks(points [][]float64) []int {
	n := len(points)
	rank, above := make([]int, n), make([]int, n)
	below := make([][]int, n)
	for i := range n {
		for j := range i {
			switch {
			case dominates(points[i], points[j]):
				below[i], above[j] = append(below[i], j), above[j]+1
			case dominates(points[j], points[i]):
				below[j], above[i] = append(below[j], i), above[i]+1
			}
		}
	}
	var front []int
	for i := range n {
		if above[i] == 0 {
			front = append(front, i)
		}
	}
	for r := 0; len(front) > 0; r++ {
		var next []int
		for _, i := range front {
			rank[i] = r
			for _, j := range below[i] {
				if above[j]--; above[j] == 0 {
					next = append(next, j)
				}
			}
		}
		front = next
	}
	return rank
}

// crowding is the crowding distance of each point among points of one front: infinite
// at the ends of an objective; one that is the same for all adds nothing.
func crowding(points [][]float64) []float64 {
	n := len(points)
	d := make([]float64, n)
	if n == 0 {
		return d
	}
	order := make([]int, n)
	for m := range points[0] {
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(points[a][m], points[b][m]) })
		lo, hi := points[order[0]][m], points[order[n-1]][m]
		d[order[0]], d[order[n-1]] = math.Inf(1), math.Inf(1)
		if width := hi - lo; width > 0 && !math.IsInf(width, 0) {
			for k := 1; k < n-1; k++ {
				d[order[k]] += (points[order[k+1]][m] - points[order[k-1]][m]) / width
			}
		}
	}
	return d
}

// Front returns the candidates that none of the others dominates by Objectives, each
// bigger is better; of candidates with equal objectives the best by Compare. They come
// in descending order of the first objective. Failed candidates are left out.
func Front[G any](list []Scored[G]) []Scored[G] {
	var out []Scored[G]
	ranked := slices.DeleteFunc(slices.Clone(list), func(s Scored[G]) bool { return s.Failed() })
	slices.SortStableFunc(ranked, func(a, b Scored[G]) int {
		return cmp.Or(-slices.Compare(objectives(a), objectives(b)), Compare(a, b))
	})
	for _, s := range ranked { // who dominates comes first
		x := objectives(s)
		if !slices.ContainsFunc(out, func(o Scored[G]) bool {
			y := objectives(o)
			return dominates(y, x) || slices.Equal(x, y)
		}) {
			out = append(out, s)
		}
	}
	return out
}

// Hypervolume is the volume that points dominate and that dominates the reference: how
// good a front is, in one number. Bigger is better in points; those that do not exceed
// the reference in everything add nothing. It takes exponential time in the number of
// objectives (While, Bradstreet and Barone 2012, WFG): for up to about six.
func Hypervolume(points [][]float64, reference []float64) float64 {
	var kept [][]float64
	for _, p := range points {
		gain := make([]float64, len(reference))
		ok := len(p) == len(reference)
		for i := 0; ok && i < len(p); i++ {
			gain[i] = p[i] - reference[i]
			ok = gain[i] > 0
		}
		if ok {
			kept = append(kept, gain)
		}
	}
	return wfg(undominated(kept))
}

// undominated leaves out who is dominated or comes twice; the rest in descending order.
func undominated(points [][]float64) [][]float64 {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b []float64) int { return slices.Compare(b, a) })
	var out [][]float64
	for _, p := range points {
		if !slices.ContainsFunc(out, func(q []float64) bool { return dominates(q, p) || slices.Equal(p, q) }) {
			out = append(out, p)
		}
	}
	return out
}

// wfg is the volume between 0 and points, none of which dominates another.
func wfg(points [][]float64) float64 {
	if len(points) == 0 {
		return 0
	}
	if len(points[0]) == 2 { // in descending order of the first: a staircase
		v, last := 0.0, 0.0
		for _, p := range points {
			v += p[0] * (p[1] - last)
			last = p[1]
		}
		return v
	}
	v := 0.0
	for i, p := range points {
		own := 1.0
		for _, x := range p {
			own *= x
		}
		var limited [][]float64 // what of the later ones p dominates
		for _, q := range points[i+1:] {
			l := make([]float64, len(p))
			for m := range l {
				l[m] = math.Min(p[m], q[m])
			}
			limited = append(limited, l)
		}
		v += own - wfg(undominated(limited))
	}
	return v
}
