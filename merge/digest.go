package merge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Digest tells merges of the same parents apart: equal digests make equal weights. It
// is of all that a spec says of the tensors.
func (s *Spec) Digest(p *Parents) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %t %d\n", s.Method.Name, s.Seed, s.AsMergekit, s.DType)
	for _, part := range s.Parts {
		fmt.Fprintf(h, "%d %v\n", part.Base, part.Inputs)
	}
	for _, t := range p.merged {
		global, source := s.Params(t.Name)
		fmt.Fprintf(h, "%q %d\n", t.Name, len(source))
		for _, v := range append([]Values{global}, source...) {
			_ = binary.Write(h, binary.LittleEndian, v.values)
			_ = binary.Write(h, binary.LittleEndian, v.Weights)
			if v.Pieces != nil {
				fmt.Fprintf(h, "%v\n", *v.Pieces)
			}
		}
	}
	return [32]byte(h.Sum(nil))
}
