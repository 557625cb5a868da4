package modeldir

import (
	"regexp"
	"strings"
)

// hubID is a model's id on the Hugging Face Hub. Ids of one word, which the Hub
// keeps for old models, look like folders and are not taken for ids here.
var hubID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$`)

// hubRevision is a branch, a tag, a commit or a pull request.
var hubRevision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// hubModel is a model on the Hub.
type hubModel struct{ id, revision string }

// parseHub reads org/name[@revision][+org/lora]; nothing is returned for anything
// else, a path above all.
func parseHub(ref string) []hubModel {
	var all []hubModel
	for part := range strings.SplitSeq(ref, "+") {
		id, revision, pinned := strings.Cut(part, "@")
		if !hubID.MatchString(id) || strings.Contains(id, "..") || strings.Contains(id, "--") || pinned && !hubRevision.MatchString(revision) {
			return nil
		}
		all = append(all, hubModel{id, revision})
	}
	return all
}

// cachedModel matches a folder of the Hub's cache.
var cachedModel = regexp.MustCompile(`(?:^|[\\/])models--([^\\/]+?)--([^\\/]+?)[\\/]snapshots[\\/]([0-9a-f]{7,40})[\\/]*$`)

// HubReference returns org/name@commit for the path of a folder in a Hugging Face
// cache, and "" for any other.
func HubReference(path string) string {
	m := cachedModel.FindStringSubmatch(path)
	if m == nil {
		return ""
	}
	ref := m[1] + "/" + m[2] + "@" + m[3]
	if parseHub(ref) == nil {
		return ""
	}
	return ref
}
