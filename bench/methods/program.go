package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bench runs the program as its users do, so that what is shown is what they get.
type bench struct {
	evaluations      int
	seed             uint64
	families         []string
	backend, program string
	data, work       string // testdata/mnist; a folder for recipes and runs
	talk             io.Writer
}

func (b *bench) build(ctx context.Context) error {
	if b.program != "" {
		return nil
	}
	b.program = filepath.Join(b.work, "mergevo")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", b.program, "./cmd/mergevo").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building mergevo (run this from the root of the repository): %w\n%s", err, out)
	}
	return nil
}

// tasks is the search file whose tasks are used: digits, and digits turned by 90
// degrees, of val.safetensors for the search and the choice, of test.safetensors for
// the report.
func (b *bench) tasks() string { return filepath.Join(b.data, "search.yaml") }

// eval scores a model or a recipe without holes.
func (b *bench) eval(ctx context.Context, model string) (score, error) {
	out, err := b.command(ctx, "eval", model, "--tasks", b.tasks(), "--json", "--backend", b.backend)
	if err != nil {
		return score{}, err
	}
	found, err := read(out)
	return found.score, err
}

func (b *bench) evalRecipe(ctx context.Context, name, text string) (score, error) {
	file := filepath.Join(b.work, name+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return score{}, err
	}
	return b.eval(ctx, file)
}

// errNothing: mergevo init finds nothing to search in a recipe.
var errNothing = errors.New("nothing to search")

// search makes holes of a recipe's numbers and fills them. The optimizer is CMA-ES
// with its defaults, not with what search.yaml sets for its own holes.
func (b *bench) search(ctx context.Context, name, text string) (outcome, error) {
	numbered, holes := filepath.Join(b.work, name+"-numbered.yaml"), filepath.Join(b.work, name+"-search.yaml")
	if err := os.WriteFile(numbered, []byte(text), 0o644); err != nil {
		return outcome{}, err
	}
	if _, err := b.command(ctx, "init", numbered, "--tasks", b.tasks(), "--out", holes); err != nil {
		if strings.Contains(err.Error(), "has no number to search") {
			return outcome{}, errNothing
		}
		return outcome{}, err
	}
	out, err := b.command(ctx, "search", holes, "--set", "search.optimizer=cmaes", "--evaluations", fmt.Sprint(b.evaluations),
		"--seed", fmt.Sprint(b.seed), "--out", filepath.Join(b.work, name), "--json", "--backend", b.backend)
	if err != nil {
		return outcome{}, err
	}
	return read(out)
}

// command returns what mergevo prints, or its complaint.
func (b *bench) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.program, args...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		said := strings.ReplaceAll(strings.TrimSpace(talk.String()), b.work+string(filepath.Separator), "")
		return nil, fmt.Errorf("mergevo %s: %w: %s", args[0], err, said)
	}
	return out, nil
}

// score is a mean over the tasks with its 95 % interval.
type score struct{ Mean, Half float64 }

func (s score) String() string { return fmt.Sprintf("%.2f ± %.2f", 100*s.Mean, 100*s.Half) }

// outcome is what the events of a command say.
type outcome struct {
	score                      score // held out, of the last entry: what was found
	oneLambda                  *score
	over                       *score // held out, paired: what was found less the best of what every search scores first
	genes, failed, evaluations int
}

// read takes from the events what the table shows. Only the held-out part of a final
// table is read: the one before a search holds no answer.
func read(events []byte) (o outcome, err error) {
	err = errors.New("mergevo printed no held-out score")
	for text := range bytes.Lines(events) {
		var e struct {
			Event               string
			Genes               []struct{}
			Failed, Evaluations int
			Gaps                map[string]*score `json:"gap_to_best_baseline"`
			Entries             []struct {
				Name  string
				Parts map[string]score
			}
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return o, fmt.Errorf("mergevo printed what is no event: %w: %.200s", err, text)
		}
		switch e.Event {
		case "plan":
			o.genes = len(e.Genes)
		case "stopped":
			o.failed, o.evaluations = e.Failed, e.Evaluations
		case "eval", "report":
			o.over = e.Gaps["held out"]
			for i, entry := range e.Entries {
				s, ok := entry.Parts["held out"]
				if !ok {
					continue
				}
				if strings.HasPrefix(entry.Name, "task arithmetic, ") {
					o.oneLambda = &s
				}
				if i == len(e.Entries)-1 {
					o.score, err = s, nil
				}
			}
		}
	}
	return o, err
}
