package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/adapters"
	"github.com/mergevo/mergevo/tensors"
)

// extractOptions are the flags of `mergevo extract-lora`.
type extractOptions struct {
	base, out, dtype string
	rank             int
	energy           float64
	offline, json    bool
}

func newExtract() *cobra.Command {
	var o extractOptions
	c := &cobra.Command{
		Use:   "extract-lora FINE --base BASE --rank R --out DIR",
		Short: "Cut a LoRA adapter out of a fine-tuned model",
		Long: `Writes the adapter, as PEFT reads it, that comes nearest to what a fine-tuned model
changed: of the difference of each linear layer's and convolution's weight the largest
singular values, --rank of them, or as many as hold a part --energy of the sum of
squares, or both: no more than the rank. What rounding alone would make is left out.
It says what part is kept, how far base + adapter lies from the fine-tuned model, and
which tensors differ that no such adapter holds: embeddings, norms, biases.

FINE and BASE are models as in a recipe: a path, a name on the Hub, model+adapter.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo extract-lora ./tuned --base ./base --rank 32 --out tuned-lora\n  mergevo extract-lora ./tuned --base ./base --energy 0.95 --dtype bfloat16 --out tuned-lora",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			return runExtract(c, v, o, args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&o.base, "base", "", "the model that FINE was trained from")
	f.StringVarP(&o.out, "out", "o", "", "folder to write; it must not hold anything yet")
	f.IntVar(&o.rank, "rank", 0, "the largest rank of a module's change")
	f.Float64Var(&o.energy, "energy", 0, "part of the sum of squares of each module's change to keep, in (0, 1]")
	f.StringVar(&o.dtype, "dtype", "float32", "type to write: float32, bfloat16 or float16")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	complete(c, "dtype", "float32", "bfloat16", "float16")
	addOffline(c, &o.offline)
	return c
}

func runExtract(c *cobra.Command, v *voice, o extractOptions, fine string) error {
	began := time.Now()
	dtype, err := tensors.ParseTorchDType(o.dtype)
	switch {
	case o.base == "":
		return usage(errors.New("--base BASE is needed: which model was it trained from?"))
	case o.out == "":
		return usage(errors.New("--out DIR is needed: where shall the adapter go?"))
	case o.rank < 0 || !(o.energy >= 0 && o.energy <= 1):
		return usage(fmt.Errorf("--rank %d, --energy %g: a rank is a positive number, an energy lies in (0, 1]", o.rank, o.energy))
	case o.rank == 0 && o.energy == 0:
		return usage(errors.New("--rank R or --energy E is needed: how large may the adapter be?"))
	case err != nil || !dtype.Float():
		return usage(fmt.Errorf("--dtype is float32, bfloat16 or float16, not %s", o.dtype))
	}
	if err := free(o.out); err != nil {
		return err
	}
	how := &opening{dir: ".", hub: wholeModels(c, o.offline, o.json)}
	models := make([]*model, 2)
	for i, ref := range []string{fine, o.base} {
		if models[i], err = how.open(c.Context(), ref); err != nil {
			return fmt.Errorf("model %s: %w", ref, err)
		}
		defer models[i].close()
		if models[i].change != nil {
			return usage(fmt.Errorf("%s is an adapter already", ref))
		}
	}
	ex := adapters.Extraction{Cut: adapters.Cut{Rank: o.rank, Energy: o.energy}, DType: dtype, Base: o.base}
	if id := models[1].at.hub.ID; id != "" {
		ex.Base = id // without a revision, as PEFT has it
	}
	ex.Turned, ex.Task = told(models[1].folder.Dir())
	progress := newBar(v.err, bytesOf(models[0].source.Tensors()), 0, size, v.json)
	defer progress.finish()
	var mu sync.Mutex
	var done int64
	ex.Progress = func(tensor string, n int64) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		progress.set(done, tensor)
	}
	x, err := adapters.Extract(c.Context(), models[0].source, models[1].source, ex)
	if errors.Is(err, context.Canceled) {
		return coded{errInterrupted, fmt.Errorf("interrupted; %s does not exist", o.out)}
	}
	if err != nil {
		return err
	}
	progress.finish()
	if err := writeExtracted(x, fine, o); err != nil {
		return err
	}
	e := extractEvent{adapterEvent: adapterEvent{Out: o.out, Tensors: len(x.Layout()), Bytes: bytesOf(x.Layout()), Seconds: time.Since(began).Seconds(), Modules: x.Kept},
		Same: x.Same, Rounding: x.Rounding, LeftOut: x.LeftOut}
	e.Energy, e.Error = adapters.Together(x.Kept)
	return v.tell(e)
}

// told is what config.json says of linear layers, GPT-2's of which lie the other way,
// and of the model's task.
func told(dir string) (turned bool, task string) {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return false, ""
	}
	var c struct {
		Type          string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	if json.Unmarshal(data, &c) != nil || len(c.Architectures) == 0 {
		return c.Type == "gpt2", ""
	}
	for end, name := range map[string]string{"ForCausalLM": "CAUSAL_LM", "LMHeadModel": "CAUSAL_LM", "ForSequenceClassification": "SEQ_CLS", "ForTokenClassification": "TOKEN_CLS", "ForConditionalGeneration": "SEQ_2_SEQ_LM", "Model": "FEATURE_EXTRACTION"} {
		if strings.HasSuffix(c.Architectures[0], end) && (end != "Model" || !strings.HasSuffix(c.Architectures[0], "LMHeadModel")) {
			task = name
		}
	}
	return c.Type == "gpt2", task
}

// writeExtracted writes the adapter's folder.
func writeExtracted(x *adapters.Extracted, fine string, o extractOptions) error {
	w, err := tensors.Create(o.out, x.Layout(), tensors.Options{Name: adapters.WeightsName})
	if err != nil {
		return err
	}
	defer w.Close()
	config, err := x.Config()
	if err != nil {
		return err
	}
	if err := w.AddFile(adapters.ConfigName, config); err != nil {
		return err
	}
	card := fmt.Sprintf("---\nlibrary_name: peft\ntags: [lora]\n---\n# %s\n\nThe change from %s to %s, cut out of the models by `mergevo extract-lora` (%s).\n", filepath.Base(o.out), o.base, fine, fullVersion())
	if err := w.AddFile("README.md", []byte(card)); err != nil {
		return err
	}
	if err := x.Write(w); err != nil {
		return err
	}
	return w.Commit()
}

// agree says something of a number of weights.
func agree(n int, one, many string) string {
	if n == 1 {
		return "1 weight " + one
	}
	return count(n, "weight") + " " + many
}

// extractEvent is what was cut out of a model.
type extractEvent struct {
	adapterEvent
	Same     int                `json:"same"`
	Rounding int                `json:"rounding"`
	LeftOut  []adapters.LeftOut `json:"left_out,omitempty"`
}

func (extractEvent) name() string { return "extracted" }

func (e extractEvent) text(out io.Writer) {
	e.adapterEvent.text(out)
	if e.Same > 0 {
		fmt.Fprintf(out, "%s\n", agree(e.Same, "is the same", "are the same"))
	}
	if e.Rounding > 0 {
		fmt.Fprintf(out, "%s\n", agree(e.Rounding, "differs by no more than rounding", "differ by no more than rounding"))
	}
	const most = 8
	for _, l := range e.LeftOut[:min(most, len(e.LeftOut))] {
		differs := "differs"
		if l.Norm > 0 {
			differs = fmt.Sprintf("differs by %.2g of its norm", l.Norm)
		}
		fmt.Fprintf(out, "not in the adapter: %s %s (%s)\n", l.Tensor, differs, l.Why)
	}
	if extra := len(e.LeftOut) - most; extra > 0 {
		fmt.Fprintf(out, "and %d more\n", extra)
	}
}
