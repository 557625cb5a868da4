package evolve

import "math/rand/v2"

// Draws returns the random numbers of one candidate. They depend on (seed, ID)
// and on nothing drawn before, so that no generator state needs keeping.
func Draws(seed, id uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, mix(id)))
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): PCG
// streams whose seeds differ in few bits start alike.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
