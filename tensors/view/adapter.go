package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tensors"
)

// Adapter is a LoRA or DoRA adapter: a folder with adapter_config.json and
// adapter_model.safetensors as PEFT saves it, or one file of LoRA factors in any of
// the other [Namings].
//
// LoRA: https://arxiv.org/abs/2106.09685. DoRA: https://arxiv.org/abs/2402.09353.
type Adapter struct {
	path    string
	folder  string         // of PEFT, "" for one file
	config  *adapterConfig // of PEFT
	weights *tensors.Checkpoint
	modules []module // sorted by name
	whole   []whole  // sorted by name
}

// OpenAdapter opens the adapter at path: PEFT's folder, the adapter_model.safetensors
// in it, a file, or a folder with one. Its config and the names and shapes of its
// tensors are checked; of its numbers only alphas are read.
//
// An adapter of another kind than W + s·BA is an error that names the kind, as are
// factors without their other half and ranks that the config contradicts. A missing
// file wraps [fs.ErrNotExist].
func OpenAdapter(path string) (*Adapter, error) {
	a := &Adapter{path: path, folder: peftFolder(path)}
	if a.folder == "" {
		return a.openFile()
	}
	var err error
	if a.config, err = readAdapterConfig(filepath.Join(a.folder, configName)); err != nil {
		return nil, err
	}
	a.weights, err = tensors.Open(filepath.Join(a.folder, weightsName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, pickle := os.Stat(filepath.Join(a.folder, "adapter_model.bin")); pickle == nil {
			return nil, fmt.Errorf("%s holds adapter_model.bin, a PyTorch pickle, and no adapter_model.safetensors; save it again with a newer PEFT: %w", a.folder, fs.ErrNotExist)
		}
	}
	if err != nil {
		return nil, err
	}
	return a.orClosed(a.sortOut())
}

// The files of a PEFT adapter.
const (
	configName  = "adapter_config.json"
	weightsName = "adapter_model.safetensors"
)

// peftFolder is the folder of PEFT's that path is, or whose weights it is, else "".
func peftFolder(path string) string {
	if filepath.Base(path) == weightsName {
		path = filepath.Dir(path)
	}
	if _, err := os.Stat(filepath.Join(path, configName)); err != nil {
		return ""
	}
	return path
}

// openFile opens an adapter that is one file.
func (a *Adapter) openFile() (*Adapter, error) {
	var err error
	a.weights, err = tensors.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, is := os.Stat(a.path); is == nil && info.IsDir() {
			return nil, fmt.Errorf("%s holds neither adapter_config.json, as PEFT saves it, nor a .safetensors file: %w", a.path, fs.ErrNotExist)
		}
	}
	if err != nil {
		return nil, err
	}
	if !AreAdapter(a.weights.Tensors()) {
		a.weights.Close()
		return nil, fmt.Errorf("%s is no adapter: its tensors have other names than lora_A, lora_down and the like, and no adapter_config.json stands beside", a.path)
	}
	return a.orClosed(a.sortOutFile())
}

func (a *Adapter) orClosed(err error) (*Adapter, error) {
	if err != nil {
		a.weights.Close()
		return nil, err
	}
	return a, nil
}

// Close closes the adapter's file. Views made with On cannot be read after it.
func (a *Adapter) Close() error { return a.weights.Close() }

// Path returns the path given to OpenAdapter.
func (a *Adapter) Path() string { return a.path }

// Base returns the model that the adapter was made for, as its config names it: a
// path on another machine or a name on the Hub, or "".
func (a *Adapter) Base() string { return a.config.Base }

// Weights returns the checkpoint of the adapter's own tensors.
func (a *Adapter) Weights() *tensors.Checkpoint { return a.weights }

// Folder returns the folder that PEFT's adapter_config.json is in, "" for an adapter
// in one file.
func (a *Adapter) Folder() string { return a.folder }

// Naming returns how the adapter names its tensors; of several ways that of most.
func (a *Adapter) Naming() Naming {
	if a.folder != "" {
		return namings[peft]
	}
	count := make([]int, len(namings))
	most := peft + 1
	for _, m := range a.modules {
		if count[m.naming]++; count[m.naming] > count[most] {
			most = m.naming
		}
	}
	return namings[most]
}

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
// component more or less ("model."), in one file by its name with underscores for
// dots. Those that do not, and those of another shape, are an error that lists them
// all; but an adapter in one file for several networks is added to the one that src
// is, and [Adapter.LeftOut] says what stays.
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
