package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
)

// writePlan tells the C floor where each tensor lies, so that it parses no JSON.
func writePlan(dir string) (string, error) {
	type place struct{ file, off, n int64 }
	var files []string
	var models []map[string]place
	for _, name := range family.Models {
		model := map[string]place{}
		found, err := filepath.Glob(filepath.Join(dir, name, "*.safetensors"))
		if err != nil {
			return "", err
		}
		for _, path := range found {
			header, begin, err := readHeader(path)
			if err != nil {
				return "", fmt.Errorf("%s: %w", path, err)
			}
			for t, v := range header {
				model[t] = place{int64(len(files)), begin + v[0], (v[1] - v[0]) / 2}
			}
			files = append(files, path)
		}
		models = append(models, model)
	}
	var text strings.Builder
	for _, f := range files {
		fmt.Fprintf(&text, "F %s\n", f)
	}
	var out int64
	for _, t := range slices.Sorted(maps.Keys(models[0])) {
		fmt.Fprintf(&text, "%d %d", models[0][t].n, out)
		for _, m := range models {
			fmt.Fprintf(&text, " %d %d", m[t].file, m[t].off)
		}
		text.WriteString("\n")
		out += 2 * models[0][t].n
	}
	path := filepath.Join(dir, "plan.txt")
	return path, os.WriteFile(path, []byte(text.String()), 0o644)
}

// readHeader returns the offsets of a safetensors file, and where its data begin.
func readHeader(path string) (map[string][2]int64, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var n uint64
	if err := binary.Read(f, binary.LittleEndian, &n); err != nil {
		return nil, 0, err
	}
	var header map[string]struct {
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.NewDecoder(io.LimitReader(f, int64(n))).Decode(&header); err != nil {
		return nil, 0, err
	}
	out := map[string][2]int64{}
	for t, v := range header {
		if t != "__metadata__" {
			out[t] = v.Offsets
		}
	}
	return out, int64(8 + n), nil
}
