//go:build !amd64

package merge

func subtractMany([]float32, []byte, []byte) (int, uint32) { return 0, 0 }

func scanMany([]float32, uint32, uint32, []uint64) (int, int) { return 0, 0 }

func noiseMany([]uint32, [2]uint32, uint32) int { return 0 }
