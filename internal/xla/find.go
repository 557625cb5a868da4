package xla

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// ErrNotInstalled is returned when no plugin of a kind is on this machine.
var ErrNotInstalled = errors.New("no XLA plugin is installed; run: mergevo xla install")

// Dir is the folder that Install writes to: $MERGEVO_XLA_DIR, else
// mergevo/xla under $XDG_DATA_HOME, else under ~/.local/share.
func Dir() (string, error) {
	if d := os.Getenv("MERGEVO_XLA_DIR"); d != "" {
		return filepath.Abs(d)
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "mergevo", "xla"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the XLA plugin: %w (set MERGEVO_XLA_DIR)", err)
	}
	return filepath.Join(home, ".local", "share", "mergevo", "xla"), nil
}

// Find returns the path of an installed plugin of kind "cpu" or "cuda": ours,
// else one where go-xla installs its own. The newest name wins.
func Find(kind string) (string, error) {
	var folders []string
	if d, err := Dir(); err == nil {
		folders = append(folders, d)
	}
	if d := os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"); d != "" {
		folders = append(folders, filepath.SplitList(d)...)
	}
	if home, err := os.UserHomeDir(); err == nil {
		folders = append(folders, filepath.Join(home, ".local", "lib", "go-xla"))
	}
	for _, d := range folders {
		found, err := filepath.Glob(filepath.Join(d, "pjrt_c_api_"+kind+"*_plugin.so"))
		if err != nil {
			continue
		}
		sort.Strings(found)
		if len(found) > 0 {
			return filepath.Abs(found[len(found)-1])
		}
	}
	if kind == "cuda" {
		return "", errors.New("no CUDA plugin is installed; name one with --backend xla:/path/plugin.so (jax-cuda13-pjrt carries one)")
	}
	return "", ErrNotInstalled
}
