//go:build !amd64

package evolve

func addFourMany(_, _, _, _, _ []float64, _ *[4]float64) int { return 0 }

func tileMany(_ [4][]float64, _ float64, _ []float64, _ int, _ [][4]float64) int { return 0 }
