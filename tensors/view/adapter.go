package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tensors"
)

// Adapter is a LoRA or DoRA adapter in the form that PEFT saves: a folder with
// adapter_config.json and adapter_model.safetensors.
//
// LoRA: https://arxiv.org/abs/2106.09685. DoRA: https://arxiv.org/abs/2402.09353.
type Adapter struct {
	path    string
	config  *adapterConfig
	weights *tensors.Checkpoint
	modules []module // sorted by name
	whole   []whole  // sorted by name
}

// OpenAdapter opens the adapter in dir. Its config and the names and shapes of its
// tensors are checked, its numbers are not read.
//
// An adapter of another kind than W + s·BA is an error that names the kind, as are
// factors without their other half and ranks that the config contradicts. A missing
// file wraps [fs.ErrNotExist].
func OpenAdapter(dir string) (*Adapter, error) {
	config, err := readAdapterConfig(filepath.Join(dir, "adapter_config.json"))
	if err != nil {
		return nil, err
	}
	weights, err := tensors.Open(filepath.Join(dir, "adapter_model.safetensors"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, pickle := os.Stat(filepath.Join(dir, "adapter_model.bin")); pickle == nil {
			return nil, fmt.Errorf("%s holds adapter_model.bin, a PyTorch pickle, and no adapter_model.safetensors; save it again with a newer PEFT: %w", dir, fs.ErrNotExist)
		}
	}
	if err != nil {
		return nil, err
	}
	a := &Adapter{path: dir, config: config, weights: weights}
	if err := a.sortOut(); err != nil {
		weights.Close()
		return nil, err
	}
	return a, nil
}

// Close closes the adapter's file. Views made with On cannot be read after it.
func (a *Adapter) Close() error { return a.weights.Close() }

// Path returns the folder given to OpenAdapter.
func (a *Adapter) Path() string { return a.path }

// Base returns the model that the adapter was made for, as its config names it: a
// path on another machine or a name on the Hub, or "".
func (a *Adapter) Base() string { return a.config.Base }

// On returns src with the adapter merged into it: W + s·BA for the modules it
// adapts, s being alpha/r, or alpha/√r with use_rslora; DoRA gives each output of
// that the length the adapter has learned; tensors the adapter holds whole replace
// those of src. Types and shapes stay those of src.
//
// Numbers are computed in float32 and rounded once, as PEFT's merge does with the
// adapter in float32. (For embeddings in 16 bits PEFT rounds the product as well
// as the sum, so its last bit may differ.)
//
// Every module must match one tensor of src, by its name or with one leading
// component more or less ("model."). Those that do not, and those of another shape,
// are an error that lists them all.
//
// Reading needs the factors of a tensor in float32: about 64 MiB of the last ones
// used are kept, or one pair if that is more. The first reading of a DoRA tensor
// goes over it twice, for its norms.
func (a *Adapter) On(src tensors.Source) (tensors.Source, error) {
	path := src.Path() + " + " + a.path
	over, problems := a.replacements(src)
	patches, more := a.patches(src)
	if err := refuse(fmt.Sprintf("adapter %s does not fit %s; is that its base? A tied tensor needs a name of its own", a.path, src.Path()), append(problems, more...)); err != nil {
		return nil, err
	}
	if len(over) > 0 {
		src = &overlaid{newCatalog(path, src.Tensors()), src, a.weights, over}
	}
	return &adapted{newCatalog(path, src.Tensors()), src, patches, factorCache{weights: a.weights}}, nil
}
