package merge

import (
	"math"

	"github.com/mergevo/mergevo/tensors"
)

// sampleLen is how many elements of a tensor Distances reads.
const sampleLen = 1 << 12

// Distances estimates how far each model lies from the base of its merge, as
// |x - b| / |b| over a run from the middle of each tensor, by the model's name. A
// fine-tune is at some hundredths to tenths; models that have nothing to do with each
// other are at about 1.4. Models of merges without a base are not in the result, nor
// those whose samples hold NaN or Inf.
func Distances(s *Spec, p *Parents) (map[string]float64, error) {
	moved, from := make([]float64, len(p.names)), make([]float64, len(p.names))
	b, x := make([]float32, sampleLen), make([]float32, sampleLen)
	for _, t := range p.merged {
		part := s.Parts[p.part[t.Name]]
		if part.Base < 0 {
			continue
		}
		n := min(sampleLen, t.Len())
		off := (t.Len() - n) / 2
		read := func(i int, into []float32) (tensors.Source, error) {
			c := p.of(i, t.Name)
			return c, c.ReadAt(into[:n], t.Name, off)
		}
		base, err := read(part.Base, b)
		if err != nil {
			return nil, err
		}
		for _, i := range part.Inputs {
			c, err := read(i, x)
			if err != nil {
				return nil, err
			}
			if c == base {
				continue
			}
			for e := range n {
				d := float64(x[e] - b[e])
				moved[i] += d * d
				from[i] += float64(b[e]) * float64(b[e])
			}
		}
	}
	out := map[string]float64{}
	for i, name := range p.names {
		if r := math.Sqrt(moved[i] / from[i]); from[i] > 0 && r-r == 0 {
			out[name] = max(out[name], r)
		}
	}
	return out, nil
}
