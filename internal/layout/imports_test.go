package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mergevo/mergevo"

// allowed lists what each package of ours may import of ours. A package that is
// not here is an error: put it where the data flows.
var allowed = map[string][]string{
	"tensors":              {},
	"tensors/view":         {"tensors"},
	"tokenizers":           {},
	"tokenizers/encode":    {"tokenizers"},
	"tokenizers/template":  {},
	"hub":                  {"tensors"},
	"modeldir":             {"hub", "tensors"},
	"hub/hubtest":          {},
	"merge":                {"internal/dense", "tensors"},
	"merge/niche":          {"tensors"},
	"merge/spectral":       {"internal/dense"},
	"merge/align":          {"internal/dense", "merge/spectral", "tensors", "tensors/view"},
	"experts":              {"merge", "modeldir", "tensors"},
	"adapters":             {"merge/spectral", "tensors", "tensors/view"},
	"evaluate/models":      {"tensors"},
	"evaluate":             {"merge", "tensors", "tokenizers/encode", "evaluate/models"},
	"evaluate/completions": {"evaluate", "tokenizers/encode"},
	"evaluate/programs":    {"evaluate", "evaluate/completions", "merge"},
	"evaluate/niches":      {"merge", "merge/niche", "tensors", "evaluate", "evaluate/models"},
	"evaluate/slope":       {"merge", "tensors", "evaluate", "evaluate/models"},
	"evaluate/statistics":  {"merge", "tensors", "evaluate", "evaluate/models"},
	"evolve":               {},
	"evolve/evolvetest":    {"evolve"},
	"recipes":              {"merge", "merge/niche", "tensors", "evolve"},
	"runs":                 {"evolve"},
	"internal/layout":      {},
	"internal/xla":         {},
	"internal/chat":        {},
	"internal/dense":       {},
	"internal/trace":       {},
	"internal/xla/xlatest": {"internal/xla"},
	"cmd/mergevo":          {"tensors", "tensors/view", "tokenizers", "tokenizers/encode", "tokenizers/template", "modeldir", "hub", "merge", "merge/align", "merge/niche", "adapters", "experts", "evaluate", "evaluate/models", "evaluate/niches", "evaluate/programs", "evaluate/slope", "evaluate/statistics", "evolve", "recipes", "runs", "internal/xla", "internal/chat"},
	"bench/family":         {"tensors"},
	"bench/started":        {},
	"bench/measured":       {},
	"bench/floor":          {"bench/family", "tensors"},
	"bench/merge":          {"bench/started", "bench/family", "bench/floor", "bench/measured", "tensors"},
	"bench/optimizers":     {"bench/started", "evolve"},
	"bench/m2n2":           {"bench/started", "bench/measured", "tensors", "merge/niche", "evaluate/niches", "evolve", "internal/xla"},
	"bench/evaluate":       {"bench/started", "bench/measured", "tensors", "merge", "evaluate", "evaluate/models", "internal/xla"},
	"bench/table":          {"bench/started", "internal/xla", "merge"},
	"bench/layers":         {"bench/started", "bench/family", "bench/measured"},
	"bench/align":          {"bench/started", "tensors", "merge/align", "evaluate/models", "internal/xla"},
	"bench/placement":      {"bench/started", "bench/family", "bench/measured"},
	"bench/search":         {"bench/started", "bench/measured", "tensors", "merge", "evaluate", "evaluate/models", "evolve", "recipes", "runs", "internal/xla"},
}

// graphs may be built in these packages only.
var graphs = []string{"merge", "evaluate", "evaluate/models", "evaluate/niches", "evaluate/slope", "evaluate/statistics", "internal/xla", "bench/search", "bench/m2n2", "bench/align", "bench/measured"}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		may, ok := allowed[name]
		if !ok {
			t.Errorf("package %s is not in the table of imports", name)
		}
		for _, i := range p.Imports {
			ours, isOurs := strings.CutPrefix(i, module+"/")
			if isOurs && !slices.Contains(may, ours) {
				t.Errorf("%s may not import %s", name, ours)
			}
			if strings.HasPrefix(i, "github.com/gomlx/") && !slices.Contains(graphs, name) {
				t.Errorf("%s may not import %s: graphs are built in %s", name, path.Base(i), strings.Join(graphs, ", "))
			}
		}
	}
	if !seen["tensors"] || !seen["cmd/mergevo"] {
		t.Errorf("saw only %d packages", len(seen))
	}
}
