package hubtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveHub answers /api/models/{org}/{name}[/revision/{rev}] and
// /{org}/{name}/resolve/{rev}/{file}.
func (s *Server) serveHub(a *answer, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	switch {
	case (len(parts) == 4 || len(parts) == 6 && parts[4] == "revision") && parts[0] == "api" && parts[1] == "models":
		a.file = "api"
		revision := "main"
		if len(parts) == 6 {
			revision = parts[5]
		}
		if a.meet(s.fault("api")) {
			return
		}
		m := s.admit(a, r, parts[2]+"/"+parts[3], false)
		if m == nil {
			return
		}
		s.list(a, m, parts[2]+"/"+parts[3], revision, r.URL.Query().Get("blobs") == "true")
	case len(parts) >= 5 && parts[2] == "resolve":
		a.file = strings.Join(parts[4:], "/")
		m := s.admit(a, r, parts[0]+"/"+parts[1], true)
		if m == nil {
			return
		}
		s.resolve(a, r, m, parts[3])
	default:
		http.NotFound(a, r)
	}
}

// admit returns the model, or refuses as the Hub does: what may not be seen looks
// as if it were not there, and to a stranger both look like a lack of a token.
func (s *Server) admit(a *answer, r *http.Request, id string, read bool) *Model {
	s.mu.Lock()
	m := s.models[id]
	s.mu.Unlock()
	token := bearer(r)
	refuse := func(status int, code, message string) *Model {
		if code != "" {
			a.Header().Set("X-Error-Code", code)
		}
		a.Header().Set("X-Error-Message", message)
		http.Error(a, message, status)
		return nil
	}
	switch {
	case token != "" && token != Token:
		return refuse(http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case m == nil && token == "", m != nil && m.Private && token == "":
		return refuse(http.StatusUnauthorized, "RepoNotFound", "Invalid username or password.")
	case m == nil:
		return refuse(http.StatusNotFound, "RepoNotFound", "Repository not found")
	case read && m.Gated && token == "":
		return refuse(http.StatusUnauthorized, "GatedRepo", "Access to this model is restricted")
	case read && m.Gated && !m.Accepted:
		return refuse(http.StatusForbidden, "GatedRepo", "Access to this model is restricted")
	}
	return m
}

func (s *Server) list(a *answer, m *Model, id, revision string, blobs bool) {
	type lfs struct {
		SHA256 string `json:"sha256"`
		Size   int    `json:"size"`
	}
	type sibling struct {
		Name string `json:"rfilename"`
		Size *int   `json:"size,omitempty"`
		Blob string `json:"blobId,omitempty"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	commit, files, ok := m.at(revision)
	if !ok {
		a.Header().Set("X-Error-Code", "RevisionNotFound")
		http.Error(a, "Invalid rev id: "+revision, http.StatusNotFound)
		return
	}
	siblings := []sibling{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e, size := sibling{Name: name}, len(files[name])
		if blobs && !s.Bare {
			e.Size, e.Blob = &size, m.digest(name, files[name])
			if Large(name) {
				// The blob is then that of a pointer, whose digest nothing here needs.
				e.LFS, e.Blob = &lfs{m.digest(name, files[name]), size}, strings.Repeat("0", 40)
			}
		}
		siblings = append(siblings, e)
	}
	a.Header().Set("Content-Type", "application/json")
	// A client that has gone is its own business.
	_ = json.NewEncoder(a).Encode(map[string]any{"id": id, "modelId": id, "sha": commit, "private": m.Private, "siblings": siblings})
}

// resolve serves a small file, and sends elsewhere for a large one.
func (s *Server) resolve(a *answer, r *http.Request, m *Model, revision string) {
	commit, files, ok := m.at(revision)
	if !ok {
		a.Header().Set("X-Error-Code", "RevisionNotFound")
		http.Error(a, "Invalid rev id", http.StatusNotFound)
		return
	}
	b, ok := files[a.file]
	a.Header().Set("X-Repo-Commit", commit)
	if !ok {
		a.Header().Set("X-Error-Code", "EntryNotFound")
		http.Error(a, "Entry not found", http.StatusNotFound)
		return
	}
	tag := strconv.Quote(m.digest(a.file, b))
	if Large(a.file) {
		a.Header().Set("X-Linked-Etag", tag)
		a.Header().Set("X-Linked-Size", strconv.Itoa(len(b)))
		target := url.URL{Path: r.URL.Path, RawQuery: "X-Amz-Signature=" + Signature}
		http.Redirect(a, r, s.Storage+target.String(), http.StatusFound)
		return
	}
	if r.Method == http.MethodGet && a.meet(s.fault(a.file)) {
		return
	}
	a.Header().Set("ETag", tag)
	http.ServeContent(a, r, a.file, time.Time{}, bytes.NewReader(b))
}

// serveStorage serves large files to whoever has a signed address, and like S3
// refuses whoever brings a second kind of right.
func (s *Server) serveStorage(a *answer, r *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 5)
	if len(parts) != 5 || r.URL.Query().Get("X-Amz-Signature") != Signature {
		http.Error(a, "no signature", http.StatusForbidden)
		return
	}
	if r.Header.Get("Authorization") != "" {
		http.Error(a, "only one auth mechanism allowed", http.StatusBadRequest)
		return
	}
	a.file = parts[4]
	_, files, ok := s.Model(parts[0] + "/" + parts[1]).at(parts[3])
	if !ok {
		http.NotFound(a, r)
		return
	}
	if r.Method == http.MethodGet && a.meet(s.fault(a.file)) {
		return
	}
	b := files[a.file]
	a.Header().Set("ETag", strconv.Quote(Digest(a.file, b)))
	http.ServeContent(a, r, a.file, time.Time{}, bytes.NewReader(b))
}
