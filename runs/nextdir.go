package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// NextDir makes the directory for the next run of a recipe, root/<recipe>-<n>
// with the first n that is free. Making it is claiming it: two searches started
// at once get different ones. The recipe may be a path; its name counts.
func NextDir(root, recipe string) (string, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("runs: %w", err)
	}
	name := dirName(recipe)
	for n := 1; ; n++ {
		dir := filepath.Join(root, fmt.Sprintf("%s-%d", name, n))
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("runs: %w", err)
		}
	}
}

// dirName is the recipe's file name without .yaml, and without characters which
// would have to be quoted in a shell.
func dirName(recipe string) string {
	name := filepath.Base(filepath.ToSlash(recipe))
	for _, ext := range []string{".yaml", ".yml"} {
		name = strings.TrimSuffix(name, ext)
	}
	name = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("-_.", c) {
			return c
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-."); name == "" {
		return "run"
	}
	return name
}
