package floor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Methods are those that the program knows.
var Methods = []string{"linear", "task_arithmetic", "ties", "breadcrumbs"}

// Merge is a merge of two models of bfloat16 with their base.
type Merge struct {
	Method string
	// Models are folders of safetensors: the base, and the two that are merged.
	Models [3]string
	// Weights of the two; linear takes them as they are, so they should sum to 1.
	Weights [2]float32
	// Density, of ties and breadcrumbs, is in (0, 1]; Gamma, of breadcrumbs, in [0, 1).
	Density, Gamma float64
}

// Placed is where a tensor lies in the program's output.
type Placed struct {
	Name string
	Len  int
	At   int64 // byte
}

// Plan writes the program's plan of a merge to a file, and returns its output's
// tensors, sorted by name. It refuses models whose tensors differ or are not BF16.
func Plan(path string, m Merge) ([]Placed, error) {
	if !slices.Contains(Methods, m.Method) {
		return nil, fmt.Errorf("no method %q; the floor knows %s", m.Method, strings.Join(Methods, ", "))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "method %s\nweights %v %v\n", m.Method, m.Weights[0], m.Weights[1])
	var models [3]map[string]place
	files := 0
	for k, dir := range m.Models {
		found, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fmt.Errorf("%s: no safetensors in this folder", dir)
		}
		models[k] = map[string]place{}
		for _, f := range found {
			abs, err := filepath.Abs(f)
			if err != nil {
				return nil, err
			}
			if err := readHeader(f, files, models[k]); err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
			fmt.Fprintf(&text, "file %s\n", abs)
			files++
		}
	}
	var out []Placed
	var at int64
	for _, name := range slices.Sorted(maps.Keys(models[0])) {
		n := models[0][name].n
		counts := m.Counts(n)
		fmt.Fprintf(&text, "tensor %d %d %d %d", n, at, counts[0], counts[1])
		for k, places := range models {
			p, ok := places[name]
			if !ok || p.n != n || len(places) != len(models[0]) {
				return nil, fmt.Errorf("%s: its tensors are not those of %s: %s", m.Models[k], m.Models[0], name)
			}
			fmt.Fprintf(&text, " %d %d", p.file, p.off)
		}
		text.WriteString("\n")
		out = append(out, Placed{name, n, at})
		at += 2 * int64(n)
	}
	return out, os.WriteFile(path, []byte(text.String()), 0o644)
}

// Counts are mergevo's, of a tensor of n elements: of ties the entries kept, of breadcrumbs the first and the end
// of the ranks that are kept.
func (m Merge) Counts(n int) [2]int {
	kept, top := int(m.Density*float64(n)), int(m.Gamma*float64(n))
	switch {
	case m.Method == "ties":
		return [2]int{max(1, kept), 0}
	case m.Method == "breadcrumbs" && m.Density < 1:
		lo := max(0, n-kept-top)
		return [2]int{lo, min(n, lo+kept)}
	}
	return [2]int{0, n}
}

// place is where a tensor lies in the inputs.
type place struct {
	file, n int
	off     int64 // from the beginning of the file
}

// readHeader adds a file's tensors to a model's. The files are the benchmark's own, so
// only what a plan needs is checked.
func readHeader(path string, number int, into map[string]place) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var n uint64
	if err := binary.Read(f, binary.LittleEndian, &n); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if n > uint64(info.Size()) {
		return errors.New("not a safetensors file: its header is longer than the file")
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, 8); err != nil {
		return err
	}
	var header map[string]struct {
		DType   string   `json:"dtype"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return err
	}
	delete(header, "__metadata__")
	for name, t := range header {
		if t.DType != "BF16" {
			return fmt.Errorf("tensor %s is %s; the floor merges BF16 only", name, t.DType)
		}
		into[name] = place{number, int(t.Offsets[1]-t.Offsets[0]) / 2, int64(8+n) + t.Offsets[0]}
	}
	return nil
}
