package xla

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	goxla "github.com/gomlx/go-xla/compute/xla"
)

// Backend is an open backend and what identifies it: two runs give the same bits
// only where all of it is equal.
type Backend struct {
	compute.Backend
	// Kind is "go", "xla:cpu" or "xla:cuda".
	Kind string
	// Plugin is the path of the PJRT plugin, "" for the Go backend.
	Plugin string
	// Device describes the device model.
	Device string
}

// Names lists what Open accepts, for help and completion.
func Names() []string { return []string{"auto", "xla:cpu", "xla:cuda", "xla:/path/plugin.so", "go"} }

// ErrUsage marks a backend name that does not exist.
var ErrUsage = errors.New("unknown backend")

// Open opens the named backend. "auto" takes CUDA where there is an NVIDIA GPU
// and a plugin for it, else XLA on the CPU, which it installs on first use, else
// the Go backend; it says on talk what it installs and what it falls back to.
func Open(ctx context.Context, name string, talk io.Writer, bar Bar) (*Backend, error) {
	switch {
	case name == "go":
		return openGo()
	case name == "" || name == "auto":
		return auto(ctx, talk, bar)
	case name == "xla:cpu", name == "xla:cuda":
		path, err := Find(strings.TrimPrefix(name, "xla:"))
		if err != nil {
			return nil, err
		}
		return openPlugin(path)
	case strings.HasPrefix(name, "xla:"):
		path := strings.TrimPrefix(name, "xla:")
		if !strings.HasSuffix(path, ".so") && !strings.HasSuffix(path, ".dylib") {
			return nil, fmt.Errorf("%w %q: want one of %s", ErrUsage, name, strings.Join(Names(), ", "))
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(abs); err != nil {
			return nil, fmt.Errorf("the plugin of --backend %s: %w", name, err)
		}
		return openPlugin(abs)
	}
	return nil, fmt.Errorf("%w %q: want one of %s", ErrUsage, name, strings.Join(Names(), ", "))
}

func auto(ctx context.Context, talk io.Writer, bar Bar) (*Backend, error) {
	if hasGPU() {
		if path, err := Find("cuda"); err == nil {
			b, err := openPlugin(path)
			if err == nil {
				return b, nil
			}
			fmt.Fprintf(talk, "mergevo: the CUDA plugin %s does not start (%v); using the CPU\n", path, short(err))
		} else {
			fmt.Fprintf(talk, "mergevo: a GPU is there but no XLA plugin for it; --backend xla:/path/plugin.so names one\n")
		}
	}
	path, err := Find("cpu")
	if errors.Is(err, ErrNotInstalled) {
		path, err = Install(ctx, talk, bar)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		b, openErr := openPlugin(path)
		if openErr == nil {
			return b, nil
		}
		err = openErr
	}
	fmt.Fprintf(talk, "mergevo: %v; using the Go backend, which is 10 to 20 times slower\n", short(err))
	return openGo()
}

// short keeps the first line of an error, since plugins add stack traces.
func short(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func openGo() (*Backend, error) {
	// Operations that run side by side can each wait for the other's workers for ever
	// (compute v0.1.2); one at a time still uses every core inside each.
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("opening the Go backend: %w", err)
	}
	return &Backend{Backend: b, Kind: "go", Device: runtime.GOARCH}, nil
}

func openPlugin(path string) (b *Backend, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("opening the XLA plugin %s: %v", path, r)
		}
	}()
	goxla.EnableAutoInstall(false)
	keepLargeBlocks()
	cuda := strings.Contains(strings.ToLower(filepath.Base(path)), "cuda")
	// TF32 would give other bits than float32 does; a plugin named by its path is
	// not taken for a CPU's without the option.
	config := path + ",shared_buffers"
	if cuda {
		config = path + ",tf32=false,noshared_buffers,preallocate=false"
	}
	x, err := goxla.New(config)
	if err != nil {
		return nil, fmt.Errorf("opening the XLA plugin %s: %s", path, short(err))
	}
	b = &Backend{Backend: x, Kind: "xla:cpu", Plugin: path, Device: x.DeviceDescription(0)}
	if cuda {
		b.Kind = "xla:cuda"
	}
	return b, nil
}

// hasGPU reports whether an NVIDIA device node is there.
func hasGPU() bool {
	_, err := os.Stat("/dev/nvidia0")
	return err == nil
}

// Digest returns the sha256 of the plugin, "" for the Go backend.
func (b *Backend) Digest() (string, error) {
	if b.Plugin == "" {
		return "", nil
	}
	digest, err := sum(b.Plugin)
	return "sha256:" + digest, err
}

// sum returns the sha256 of a file in hexadecimal.
func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
