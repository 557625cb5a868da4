package niche

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// Mixes breeds segments of seeds, without mutation: it implements evolve.Breeder.
type Mixes struct {
	Crossing
	Gram *Gram
}

// Seeds are the models which all others are mixes of.
func (m Mixes) Seeds() []Segments {
	out := make([]Segments, m.Gram.count)
	for k := range out {
		out[k] = One(m.Gram.n, k, m.Gram.count)
	}
	return out
}

// Child merges two models.
func (m Mixes) Child(rng *rand.Rand, a, b Segments) Segments {
	return m.Cross(a, b, m.Draw(rng), m.Gram)
}

// Marshal writes a model.
func (m Mixes) Marshal(s Segments) []byte {
	data, err := s.MarshalBinary()
	if err != nil {
		panic("niche: " + err.Error()) // Cross makes no such segments
	}
	return data
}

// Unmarshal reads a model of these seeds.
func (m Mixes) Unmarshal(data []byte) (s Segments, err error) {
	if err = s.UnmarshalBinary(data); err != nil {
		return s, err
	}
	if s.Len() != m.Gram.n || len(s.Shares[0]) != m.Gram.count {
		return s, fmt.Errorf("segments of %d seeds of %d weights, not of %d of %d", len(s.Shares[0]), s.Len(), m.Gram.count, m.Gram.n)
	}
	return s, nil
}

// Numbers breeds segments as lists of numbers, which are the genomes that a run keeps:
// it implements evolve.Breeder.
type Numbers struct{ Mixes }

// Seeds are the models which all others are mixes of.
func (n Numbers) Seeds() [][]float64 {
	var out [][]float64
	for _, s := range n.Mixes.Seeds() {
		out = append(out, s.Numbers())
	}
	return out
}

// Child merges two models.
func (n Numbers) Child(rng *rand.Rand, a, b []float64) []float64 {
	return n.Mixes.Child(rng, n.segments(a), n.segments(b)).Numbers()
}

func (n Numbers) segments(numbers []float64) Segments {
	s, err := FromNumbers(numbers, n.Gram.count)
	if err != nil {
		panic("niche: " + err.Error()) // they come from Seeds, Child and Unmarshal
	}
	return s
}

// Marshal writes a model.
func (n Numbers) Marshal(numbers []float64) []byte { return n.Mixes.Marshal(n.segments(numbers)) }

// Unmarshal reads a model of these seeds.
func (n Numbers) Unmarshal(data []byte) ([]float64, error) {
	s, err := n.Mixes.Unmarshal(data)
	if err != nil {
		return nil, err
	}
	return s.Numbers(), nil
}

// Dense breeds flat models which keep their own weights, for small ones that mutate:
// it implements evolve.Breeder.
type Dense struct {
	Crossing
	First [][]float32 // the seeds

	// Sigma is the standard deviation of the noise on each weight of a child.
	Sigma float64
}

// Scratch breeds from count models of normal weights of standard deviation sigma, which
// is also that of the noise.
func Scratch(c Crossing, seed uint64, n, count int, sigma float64) Dense {
	d := Dense{Crossing: c, Sigma: sigma}
	for k := range count {
		rng := rand.New(rand.NewPCG(seed, math.MaxUint64-uint64(k)))
		w := make([]float32, n)
		addNoise(w, rng, sigma)
		d.First = append(d.First, w)
	}
	return d
}

func addNoise(w []float32, rng *rand.Rand, sigma float64) {
	for i := range w {
		w[i] += float32(sigma * rng.NormFloat64())
	}
}

// Seeds are the models to begin with.
func (d Dense) Seeds() [][]float32 { return d.First }

// Child merges two models and adds noise.
func (d Dense) Child(rng *rand.Rand, a, b []float32) []float32 {
	out := make([]float32, len(a))
	d.CrossDense(out, a, b, d.Draw(rng))
	if d.Sigma > 0 {
		addNoise(out, rng, d.Sigma)
	}
	return out
}

// Weights is Dense on genomes of float64, as runs have them.
type Weights struct{ Dense }

// Seeds are the models to begin with.
func (w Weights) Seeds() [][]float64 {
	var out [][]float64
	for _, s := range w.First {
		out = append(out, Wide(s))
	}
	return out
}

// Child merges two models and adds noise.
func (w Weights) Child(rng *rand.Rand, a, b []float64) []float64 {
	return Wide(w.Dense.Child(rng, Narrow(a), Narrow(b)))
}

// Marshal writes a model, 4 bytes a weight.
func (w Weights) Marshal(g []float64) []byte { return w.Dense.Marshal(Narrow(g)) }

// Unmarshal reads a model of as many weights.
func (w Weights) Unmarshal(data []byte) ([]float64, error) {
	g, err := w.Dense.Unmarshal(data)
	return Wide(g), err
}

// Wide is the genome of Weights that has these weights.
func Wide(w []float32) []float64 {
	out := make([]float64, len(w))
	for i, v := range w {
		out[i] = float64(v)
	}
	return out
}

// Narrow are the weights that a genome of Weights stands for.
func Narrow(g []float64) []float32 {
	out := make([]float32, len(g))
	for i, v := range g {
		out[i] = float32(v)
	}
	return out
}

// Marshal writes a model, 4 bytes a weight.
func (d Dense) Marshal(w []float32) []byte {
	out := make([]byte, 0, 4*len(w))
	for _, v := range w {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// Unmarshal reads a model of as many weights.
func (d Dense) Unmarshal(data []byte) ([]float32, error) {
	n := len(d.First[0])
	if len(data) != 4*n {
		return nil, fmt.Errorf("%d bytes are no %d weights", len(data), n)
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("weight %d is %v", i, v)
		}
	}
	return out, nil
}
