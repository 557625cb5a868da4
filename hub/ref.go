package hub

import (
	"regexp"
	"strings"
)

// defaultRevision is the branch that a reference without a revision means.
const defaultRevision = "main"

// maxName is the Hub's limit on either half of an id, in characters.
const maxName = 96

var (
	// idPart is an organisation's or a model's name.
	idPart = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$`)
	// revisionName is a branch, a tag, a commit or a pull request such as refs/pr/1.
	revisionName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)
	commitHash   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Ref names a model on the Hub.
type Ref struct {
	ID       string // org/name
	Revision string // branch, tag or commit; empty means main
}

// ParseRef reads org/name[@revision]. It is false for what cannot be an id on the
// Hub: a name has letters, digits, '-', '_' and '.', neither begins nor ends with
// '-' or '.', has neither "--" nor "..", and at most 96 characters. Ids of one
// word, which the Hub keeps for old models, are not taken: they look like folders.
func ParseRef(s string) (Ref, bool) {
	id, revision, pinned := strings.Cut(s, "@")
	org, name, ok := strings.Cut(id, "/")
	if !ok || !plausible(org) || !plausible(name) || strings.HasSuffix(name, ".git") {
		return Ref{}, false
	}
	if pinned && !plausibleRevision(revision) {
		return Ref{}, false
	}
	return Ref{ID: id, Revision: revision}, true
}

func plausible(part string) bool {
	return len(part) <= maxName && idPart.MatchString(part) &&
		!strings.Contains(part, "--") && !strings.Contains(part, "..")
}

// plausibleRevision also keeps the revision from leaving the cache's refs folder.
func plausibleRevision(s string) bool {
	return len(s) <= 255 && revisionName.MatchString(s) && !strings.Contains(s, "..")
}

// String returns the reference as ParseRef reads it.
func (r Ref) String() string {
	if r.Revision == "" {
		return r.ID
	}
	return r.ID + "@" + r.Revision
}

func (r Ref) revision() string {
	if r.Revision == "" {
		return defaultRevision
	}
	return r.Revision
}

// check refuses a reference that ParseRef did not make and would not.
func (r Ref) check() error {
	if parsed, ok := ParseRef(r.String()); !ok || parsed != r {
		return &RefError{Ref: r.String()}
	}
	return nil
}

// RefError is a reference that cannot be a model on the Hub.
type RefError struct{ Ref string }

func (e *RefError) Error() string {
	return e.Ref + " is no model on the Hub; write org/name or org/name@revision"
}

// cachedModel matches a folder of the cache.
var cachedModel = regexp.MustCompile(`(?:^|[\\/])models--([^\\/]+?)--([^\\/]+?)[\\/]snapshots[\\/]([0-9a-f]{7,40})[\\/]*$`)

// Cached returns the model whose snapshot in a cache, ours or another, lies at path.
func Cached(path string) (Ref, bool) {
	m := cachedModel.FindStringSubmatch(path)
	if m == nil {
		return Ref{}, false
	}
	return ParseRef(m[1] + "/" + m[2] + "@" + m[3])
}
