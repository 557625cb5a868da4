package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/mergevo/mergevo/tensors"
)

// Weights gives a weight by its torch name as float32 [P, shape...]. It panics on
// a name it lacks, as graph-building functions do.
type Weights func(name string) *graph.Node

// Model is a model family set up by one config.json.
type Model struct {
	// Type is the config's model_type.
	Type string
	// Input is the shape of one example.
	Input []int
	// DivideBy scales integer inputs: x = input / DivideBy.
	DivideBy float64
	// Outputs is the number of logits.
	Outputs int
	// Tensors lists the weights that the forward graph reads, with their shapes.
	Tensors []tensors.Info
	// Widest is the largest number of float32 values that an example takes
	// between two layers, for planning memory.
	Widest int
	// Flops is the number of multiply-adds of one example, times two.
	Flops int
	// Forward returns logits [P, B, Outputs] of inputs x, float32 [B, Input...].
	Forward func(w Weights, x *graph.Node) *graph.Node
	// Text is set, in the place of all from Input on but Tensors, for a model that
	// reads token ids.
	Text *Text
	// Image is set, in the place of Widest, Flops and Forward, for a model that reads
	// images and fills a device by itself.
	Image *Image

	// What [Model.Stages] is made of: a sequential model's layers, or the parts of another.
	chain []layer
	parts *parts
}

// Single reports whether each candidate goes through the device by itself.
func (m *Model) Single() bool { return m.Text != nil || m.Image != nil }

// Names are those of the weights that the forward graph reads, in their order.
func (m *Model) Names() []string {
	names := make([]string, len(m.Tensors))
	for i, t := range m.Tensors {
		names[i] = t.Name
	}
	return names
}

// ErrNoConfig is returned where a checkpoint has no config.json beside it.
var ErrNoConfig = errors.New("no config.json says how to run the model")

// families maps model_type to the parser of its config, which lists the weights
// that it reads; what the checkpoint has tells prefixes and tied tensors.
var families = map[string]func(data []byte, s *weightList) (*Model, error){
	"bert":              parseBert,
	"clip":              parseCLIP,
	"clip_vision_model": parseCLIPVision,
	"gpt2":              parseGPT2,
	"llama":             parseLlama,
	"mistral":           parseLlama,
	"qwen2":             parseLlama,
	"qwen3":             parseLlama,
	"sequential":        parseSequential,
	"vit":               parseViT,
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func known[V any](m map[string]V) string { return strings.Join(sorted(m), ", ") }

// Load reads config.json in the folder of a checkpoint with the given tensors.
func Load(dir string, have []tensors.Info) (*Model, error) {
	file := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: put one in %s", ErrNoConfig, dir)
	}
	if err != nil {
		return nil, err
	}
	return LoadAs(dir, data, have)
}

// LoadAs is Load with another config.json than the folder's, such as one that counts
// other layers.
func LoadAs(dir string, config []byte, have []tensors.Info) (*Model, error) {
	m, err := Parse(config, have)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config.json"), err)
	}
	if m.Text != nil {
		// What transformers generates with has its own file.
		if data, err := os.ReadFile(filepath.Join(dir, "generation_config.json")); err == nil {
			if more := ends(data); more != nil {
				m.Text.Ends = more
			}
		}
	}
	if m.Image != nil {
		if m.Image.Pixels, err = loadPixels(dir, m.Input[0]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Parse reads the config.json of a checkpoint with the given tensors, which tell
// what the config leaves open: the names' prefix, and whether embeddings are tied.
func Parse(data []byte, have []tensors.Info) (*Model, error) {
	var head struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("not a config.json: %w", err)
	}
	parse, ok := families[head.ModelType]
	if !ok {
		return nil, fmt.Errorf("model_type %q cannot be run here; known: %s\nhint: a task of kind command scores any checkpoint, with a program of yours", head.ModelType, known(families))
	}
	s := &weightList{has: map[string]bool{}}
	for _, t := range have {
		s.has[t.Name] = true
	}
	m, err := parse(data, s)
	if err != nil {
		return nil, err
	}
	m.Type, m.Tensors = head.ModelType, s.list
	if m.Text != nil {
		m.parts = m.Text.Blocks.parts()
		m.Text.Ends = ends(data)
	}
	return m, nil
}

// ends reads eos_token_id: an id, or a list of them.
func ends(config []byte) []int32 {
	var c struct {
		IDs json.RawMessage `json:"eos_token_id"`
	}
	var one int32
	var list []int32
	if json.Unmarshal(config, &c) != nil || len(c.IDs) == 0 || string(c.IDs) == "null" {
		return nil
	}
	if json.Unmarshal(c.IDs, &one) == nil {
		return []int32{one}
	}
	_ = json.Unmarshal(c.IDs, &list)
	return list
}

// Check returns an error that lists every weight which a checkpoint's tensors
// lack or hold in another shape.
func (m *Model) Check(have []tensors.Info) error {
	byName := map[string]tensors.Info{}
	for _, t := range have {
		byName[t.Name] = t
	}
	var problems []error
	for _, want := range m.Tensors {
		t, ok := byName[want.Name]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("  %s: config.json asks for it, the checkpoint lacks it", want.Name))
		case !slices.Equal(t.Shape, want.Shape):
			problems = append(problems, fmt.Errorf("  %s: shape %v in config.json, %v in the checkpoint", want.Name, want.Shape, t.Shape))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("config.json and the checkpoint disagree:\n%w", errors.Join(problems...))
	}
	return nil
}

// strict decodes JSON and refuses keys that v does not name.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
