package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/experts"
	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// moeOptions are the flags of `mergevo moe`.
type moeOptions struct {
	out, backend, shardSize        string
	dryRun, restart, offline, json bool
}

func newMoE() *cobra.Command {
	var o moeOptions
	var modes, kinds []string
	for _, m := range recipes.GateModes() {
		modes = append(modes, fmt.Sprintf("  %-15s %s", m.Name, m.Doc))
	}
	for _, a := range experts.Architectures() {
		kinds = append(kinds, fmt.Sprintf("  %-15s %s: %s", a.Name, strings.Join(a.From, ", "), a.Doc))
	}
	c := &cobra.Command{
		Use:   "moe CONFIG --out DIR",
		Short: "Make a mixture of experts of dense models",
		Long: `Writes a mixture of experts of dense models of one size: attention, norms and
embeddings of base_model, the feed-forward layers of each expert's source_model, and
gates made of the experts' prompts. The file is mergekit-moe's. The folder appears
complete or not at all, memory does not grow with the models, and when it is
interrupted the same command continues.

gate_mode, what a row of a gate is made of, positive prompts less negative ones, in
length 1:
` + strings.Join(modes, "\n") + `

architecture, by default the first that fits the base:
` + strings.Join(kinds, "\n") + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo moe examples/experts.yaml --out mixture\n  mergevo moe experts.yaml --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v := &voice{out: c.OutOrStdout(), err: c.ErrOrStderr(), json: o.json}
			return runMoE(c, v, o, args[0])
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "folder to write; it must not hold anything yet")
	f.StringVar(&o.shardSize, "shard-size", "5GB", "largest file of weights, as in 5GB or 500MB; 0 writes one file")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything, print what would be written, and exit")
	f.BoolVar(&o.restart, "restart", false, "begin anew, discarding what an interrupted run left in DIR.partial")
	f.BoolVar(&o.json, "json", false, "print events as JSON, one a line")
	addBackend(c, &o.backend)
	addOffline(c, &o.offline)
	return c
}

// mixing is a mixture on its way to a folder.
type mixing struct {
	file    *recipes.Experts
	mixture *experts.Mixture
	models  map[string]*model // by reference
	gates   experts.Gates
	shard   int64
	restart bool
}

func runMoE(c *cobra.Command, v *voice, o moeOptions, path string) error {
	if o.out == "" && !o.dryRun {
		return usage(errors.New("--out DIR is needed: where shall the mixture go?"))
	}
	shard, err := parseSize(o.shardSize)
	if err != nil {
		return err
	}
	file, err := recipes.ReadExperts(path)
	if err != nil {
		return usage(err)
	}
	if err := free(o.out); err != nil {
		return err
	}
	how := &opening{dir: filepath.Dir(path), hub: wholeModels(c, o.offline, o.json)}
	if o.dryRun {
		how.hub = headersOnly(c, o.offline)
	}
	m := &mixing{file: file, models: map[string]*model{}, shard: shard, restart: o.restart}
	defer m.close()
	if err := m.open(c.Context(), how); err != nil {
		return err
	}
	m.say(v)
	if o.dryRun {
		return v.tell(m.event(o.out))
	}
	began := time.Now()
	if err := m.makeGates(c, o.backend); err != nil {
		return interrupted(err, o.out)
	}
	if layers := m.gates.Alike(); len(layers) > 0 {
		v.say("in %s of %d the gates are nearly dependent on each other: some experts will hardly be chosen; take prompts that differ more, or negative ones", count(len(layers), "layer"), m.mixture.Layers)
	}
	if err := m.write(c.Context(), v, o.out); err != nil {
		return interrupted(err, o.out)
	}
	e := m.event(o.out)
	e.Planned, e.Seconds = false, time.Since(began).Seconds()
	return v.tell(e)
}

// interrupted says what stays of an output when a person stopped it.
func interrupted(err error, out string) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return coded{errInterrupted, fmt.Errorf("interrupted; %s does not exist; what is finished stays in %s.partial, and the same command continues", out, out)}
}

func (m *mixing) close() {
	for _, x := range m.models {
		x.close()
	}
}

// open opens the models, and checks that they make a mixture.
func (m *mixing) open(ctx context.Context, how *opening) error {
	var problems []error
	for _, ref := range m.file.Models() {
		x, err := how.open(ctx, ref)
		if err == nil && x.change != nil {
			x.close()
			err = errors.New("it is an adapter; write model+adapter")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("model %s: %w", ref, err))
			continue
		}
		m.models[ref] = x
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	config, err := os.ReadFile(filepath.Join(m.base().folder.Dir(), "config.json"))
	if err != nil {
		return fmt.Errorf("the base's configuration is needed: %w", plainPath(err))
	}
	of := func(x recipes.Expert) experts.Expert {
		return experts.Expert{Name: x.Model, Source: m.models[x.Model].source, Noise: x.Noise, Residual: x.Residual}
	}
	c := experts.Config{Architecture: m.file.Architecture, Base: of(recipes.Expert{Model: m.file.Base}), JSON: config, PerToken: m.file.PerToken, Seed: m.file.Seed, DType: m.file.DType}
	for _, x := range m.file.Experts {
		c.Experts = append(c.Experts, of(x))
	}
	if m.file.Shared != nil {
		x := of(*m.file.Shared)
		c.Shared = &x
	}
	m.mixture, err = experts.New(c)
	return err
}

func (m *mixing) base() *model { return m.models[m.file.Base] }

// say says what a reader of the file may not expect.
func (m *mixing) say(v *voice) {
	n := len(m.file.Experts)
	if n&(n-1) != 0 {
		v.say("%d experts are no power of two, which llama.cpp asks for", n)
	}
	var folders []*modeldir.Folder
	names := m.file.Models()
	for _, ref := range names {
		folders = append(folders, m.models[ref].folder)
	}
	for _, line := range modeldir.Warnings(folders, names, 0, false) {
		v.say("%s", line)
	}
	if m.mixture.Architecture.Name == "qwen2_moe" && m.file.Shared == nil {
		v.say("there is no shared expert in %s: the layout has one, which is written as zeros", m.file)
	}
}

// write streams the mixture into a folder that appears when it is complete.
func (m *mixing) write(ctx context.Context, v *voice, out string) error {
	folder := m.base().folder
	config, notes, err := folder.Edit(modeldir.Edits{DType: m.file.DType, Keys: m.mixture.Keys()})
	if err != nil {
		return err
	}
	for _, n := range notes {
		v.say("%s", n)
	}
	text := m.file.Text()
	identity, err := m.identity(text)
	if err != nil {
		return err
	}
	w, err := tensors.Create(out, m.mixture.Layout(), tensors.Options{ShardSize: m.shard, Metadata: map[string]string{"mergevo_experts": string(text)}, Identity: identity, Restart: m.restart})
	if errors.Is(err, tensors.ErrPartial) {
		return fmt.Errorf("%w\nhint: --restart begins anew", err)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	files := []modeldir.File{{Name: "config.json", Data: config}}
	for _, name := range folder.Files() {
		data, err := os.ReadFile(filepath.Join(folder.Dir(), name))
		if err != nil {
			return plainPath(err)
		}
		files = put(files, modeldir.File{Name: name, Data: data})
	}
	files = put(files, modeldir.File{Name: "README.md", Data: m.card(out, text)})
	for _, f := range put(files, modeldir.File{Name: "mergevo_experts.yaml", Data: text}) {
		if err := w.AddFile(f.Name, f.Data); err != nil {
			return err
		}
	}
	progress := newBar(v.err, bytesOf(m.mixture.Layout()), w.Kept(), size, v.json)
	defer progress.finish()
	var mu sync.Mutex
	written := w.Kept()
	err = m.mixture.Write(ctx, w, m.gates, func(tensor string, n int64) {
		mu.Lock()
		defer mu.Unlock()
		written += n
		progress.set(written, tensor)
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return w.Commit()
}

// identity says what is written, to its bits.
func (m *mixing) identity(text []byte) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%v\n", fullVersion(), text, m.gates)
	for _, ref := range m.file.Models() {
		x := m.models[ref]
		for _, c := range x.checkpoints() {
			state, err := c.State()
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%q %s\n", ref, state)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// card is the output's README.md.
func (m *mixing) card(out string, text []byte) []byte {
	a := m.mixture.Architecture
	c := modeldir.CardInput{Title: filepath.Base(out), Transformers: true, Method: "moe", Doc: fmt.Sprintf("A mixture of %d experts of dense models, %d a token, in the layout %s.", len(m.file.Experts), m.file.PerToken, a.Name), Recipe: text, Version: fullVersion()}
	for _, ref := range m.file.Models() {
		x := m.models[ref]
		c.Parents = append(c.Parents, modeldir.Parent{Name: ref, Hub: x.at.hub.String(), Base: ref == m.file.Base, States: x.folder.Statement()})
	}
	return modeldir.Card(c)
}

func (m *mixing) event(out string) moeEvent {
	layout := m.mixture.Layout()
	return moeEvent{Out: out, Architecture: m.mixture.Architecture.Name, Experts: len(m.file.Experts), PerToken: m.file.PerToken, Tensors: len(layout), Bytes: bytesOf(layout), Planned: true}
}

// moeEvent is what was written, or would be.
type moeEvent struct {
	Out          string  `json:"out"`
	Architecture string  `json:"architecture"`
	Experts      int     `json:"experts"`
	PerToken     int     `json:"experts_per_token"`
	Tensors      int     `json:"tensors"`
	Bytes        int64   `json:"bytes"`
	Seconds      float64 `json:"seconds,omitempty"`
	Planned      bool    `json:"planned,omitempty"`
}

func (moeEvent) name() string { return "mixed" }

func (e moeEvent) text(w io.Writer) {
	what := fmt.Sprintf("%d tensors, %s: %s of %d experts, %d a token", e.Tensors, size(e.Bytes), e.Architecture, e.Experts, e.PerToken)
	if e.Planned {
		fmt.Fprintf(w, "would write %s\n", what)
		return
	}
	fmt.Fprintf(w, "wrote %s: %s, in %.1f s\n", e.Out, what, e.Seconds)
}
