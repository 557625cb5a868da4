// Package floor is what C takes for a merge of a family, the bound that mergevo is
// measured against: floor.c merges in as few passes as the method allows, over files
// that it maps, in as many threads as asked for.
package floor

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed floor.c
var program []byte

//go:embed cuts.h
var cuts []byte

// flags: no contraction, for where a product and a sum are fused the program says so.
var flags = []string{"-std=gnu11", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"}

// Compiler returns the C compiler: $CC, or cc. Where there is none the error wraps
// [exec.ErrNotFound].
func Compiler() (string, error) {
	name := os.Getenv("CC")
	if name == "" {
		name = "cc"
	}
	return exec.LookPath(name)
}

// Build compiles the program as dir/floor and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	cc, err := Compiler()
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "floor.c")
	for path, text := range map[string][]byte{source: program, filepath.Join(dir, "cuts.h"): cuts} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return "", err
		}
	}
	out := filepath.Join(dir, "floor")
	args := append(flags[:len(flags):len(flags)], "-o", out, source, "-lpthread", "-lm")
	if text, err := exec.CommandContext(ctx, cc, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", cc, source, err, text)
	}
	return out, nil
}
