package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
)

// Model is a repository.
type Model struct {
	Private  bool // is not seen without the token
	Gated    bool // is not read without the token
	Accepted bool // the token's account has accepted the terms of what is gated

	Digests map[string]string // announced in place of the true ones, by file

	commits map[string]map[string][]byte // files by commit
	refs    map[string]string            // commits by revision
}

// Add makes a commit of the files, on main, and returns its hash. The model is made
// if it is new; what was committed before stays under its hash.
func (s *Server) Add(id string, files map[string][]byte) (commit string) {
	h := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %s\n", name, Digest(name, files[name]))
	}
	commit = hex.EncodeToString(h.Sum(nil))
	m := s.Model(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.commits[commit] = maps.Clone(files)
	m.refs["main"] = commit
	return commit
}

// Model returns the model of that id, made if it is new.
func (s *Server) Model(id string) *Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.models[id] == nil {
		s.models[id] = &Model{commits: map[string]map[string][]byte{}, refs: map[string]string{}, Digests: map[string]string{}}
	}
	return s.models[id]
}

// Name gives a commit another revision, such as a tag.
func (m *Model) Name(revision, commit string) { m.refs[revision] = commit }

// at returns the files of a revision.
func (m *Model) at(revision string) (commit string, files map[string][]byte, ok bool) {
	commit = revision
	if named, ok := m.refs[revision]; ok {
		commit = named
	}
	files, ok = m.commits[commit]
	return commit, files, ok
}

func (m *Model) digest(name string, b []byte) string {
	if d := m.Digests[name]; d != "" {
		return d
	}
	return Digest(name, b)
}

// Large reports whether git would keep the file elsewhere.
func Large(name string) bool {
	return slices.Contains([]string{".safetensors", ".bin", ".model"}, path.Ext(name))
}

// Digest is what the Hub gives for a file, which also names its blob in a cache:
// SHA-256 for what is large, else git's SHA-1 of a blob.
func Digest(name string, b []byte) string {
	if Large(name) {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(b), b))
	return hex.EncodeToString(sum[:])
}

// Safetensors returns a file of bfloat16 tensors, all of whose bytes are fill.
func Safetensors(shapes map[string][]int, fill byte) []byte {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header, end := map[string]entry{}, 0
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		size := 2
		for _, n := range shapes[name] {
			size *= n
		}
		header[name] = entry{"BF16", shapes[name], [2]int{end, end + size}}
		end += size
	}
	b, err := json.Marshal(header)
	if err != nil {
		panic(err) // maps of numbers can be marshalled
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	out = append(out, b...)
	for range end {
		out = append(out, fill)
	}
	return out
}
