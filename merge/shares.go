package merge

import "math"

// Shares is each model's part of all the weights of a merge, by the sum of their
// magnitudes over the tensors, a tensor counting as many times as it has elements, by
// the model's name. Bases have none, and methods without a weight give all the same.
func Shares(s *Spec, p *Parents) map[string]float64 {
	out := map[string]float64{}
	total := 0.0
	_, weighs := s.Method.Param("weight")
	for _, t := range p.merged {
		global, source := s.Params(t.Name)
		for k, i := range s.Parts[p.part[t.Name]].Inputs {
			w := 1.0
			switch {
			case weighs:
				w = math.Abs(source[k].Get("weight"))
			case global.Pieces != nil:
				w = global.Pieces.share(k, t.Len())
			}
			w *= float64(t.Len())
			out[p.names[i]] += w
			total += w
		}
	}
	for name := range out {
		if total > 0 {
			out[name] /= total
		}
	}
	return out
}
