package modeldir

import (
	"strings"

	"github.com/mergevo/mergevo/hub"
)

// parseHub reads org/name[@revision][+org/lora]; nothing is returned for anything
// else, a path above all.
func parseHub(ref string) []hub.Ref {
	var all []hub.Ref
	for part := range strings.SplitSeq(ref, "+") {
		r, ok := hub.ParseRef(part)
		if !ok {
			return nil
		}
		all = append(all, r)
	}
	return all
}
