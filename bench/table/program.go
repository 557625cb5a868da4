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

	"github.com/mergevo/mergevo/bench/started"
)

// bench runs the program as its users do, so that what is shown is what they get.
type bench struct {
	family                  *family
	evaluations, population int
	steps                   int // of refine
	seed                    uint64
	backend, program        string
	work                    string // a folder for recipes, runs and what the program said
	talk                    io.Writer
	baselines               []string // recipes without holes that others are held against
}

func (b *bench) build(ctx context.Context) error {
	if b.program != "" {
		return nil
	}
	b.program = filepath.Join(b.work, "mergevo")
	return started.Build(ctx, b.program)
}

// put writes a file into the work folder.
func (b *bench) put(name, text string) (string, error) {
	file := filepath.Join(b.work, name)
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// eval scores a model or a recipe without holes on what is held out, and holds it against
// the baselines.
func (b *bench) eval(ctx context.Context, name, model string) (outcome, error) {
	held, err := b.put("held-out.yaml", "tasks: "+listed(b.family.HeldOut)+"\n")
	if err != nil {
		return outcome{}, err
	}
	args := []string{"eval", model, "--tasks", held, "--json", "--backend", b.backend}
	for _, other := range b.baselines {
		args = append(args, "--against", other)
	}
	return b.once(name+".eval", func() ([]byte, error) { return b.command(ctx, args...) })
}

func (b *bench) evalRecipe(ctx context.Context, name, text string) (outcome, error) {
	file, err := b.put(name+".yaml", text)
	if err != nil {
		return outcome{}, err
	}
	return b.eval(ctx, name, file)
}

// once runs a command unless what it said is kept, so that a table that was ended goes on.
func (b *bench) once(name string, run func() ([]byte, error)) (outcome, error) {
	kept := filepath.Join(b.work, name+".jsonl")
	out, err := os.ReadFile(kept)
	if err == nil {
		return read(out)
	}
	if out, err = run(); err != nil {
		return outcome{}, err
	}
	o, err := read(out)
	if err == nil {
		err = os.WriteFile(kept, out, 0o644)
	}
	return o, err
}

// errNothing: mergevo init finds nothing to search in a recipe.
var errNothing = errors.New("nothing to search")

// searchNumbers makes holes of a recipe's numbers and fills them by CMA-ES.
func (b *bench) searchNumbers(ctx context.Context, name, text string) (outcome, error) {
	numbered, err := b.put(name+"-numbered.yaml", text)
	if err != nil {
		return outcome{}, err
	}
	tasks, err := b.put("search-block.yaml", b.average()+b.searchBlock(b.cmaes()))
	if err != nil {
		return outcome{}, err
	}
	holes := filepath.Join(b.work, name+"-search.yaml")
	if _, err := os.Stat(holes); err != nil {
		if _, err := b.command(ctx, "init", numbered, "--tasks", tasks, "--out", holes); err != nil {
			if strings.Contains(err.Error(), "has no number to search") {
				return outcome{}, errNothing
			}
			return outcome{}, err
		}
	}
	return b.search(ctx, name, holes)
}

// searchHoles fills the holes of a recipe.
func (b *bench) searchHoles(ctx context.Context, name, text, optimizer string) (outcome, error) {
	holes, err := b.put(name+"-search.yaml", text+b.searchBlock(optimizer))
	if err != nil {
		return outcome{}, err
	}
	return b.search(ctx, name, holes)
}

// search fills the holes of a file, and scores what it finds as everything is scored.
func (b *bench) search(ctx context.Context, name, holes string) (outcome, error) {
	run := filepath.Join(b.work, name)
	found, err := b.once(name+".search", func() ([]byte, error) {
		if _, err := os.Stat(run); err == nil {
			return b.command(ctx, "search", "--resume", run, "--json")
		}
		return b.command(ctx, "search", holes, "--seed", fmt.Sprint(b.seed), "--out", run, "--json", "--backend", b.backend)
	})
	if err != nil {
		return outcome{}, err
	}
	o, err := b.eval(ctx, name+"-found", filepath.Join(run, "best.yaml"))
	o.genes, o.failed, o.evaluations = found.genes, found.failed, found.evaluations
	return o, err
}

// refine moves the weights of task arithmetic, one for each model and tensor, along the
// gradient.
func (b *bench) refine(ctx context.Context, name string) (outcome, error) {
	holes, err := b.put(name+"-search.yaml", b.arithmetic(manyWeights)+b.searchBlock(b.cmaes()))
	if err != nil {
		return outcome{}, err
	}
	to := filepath.Join(b.work, name+"-refined.yaml")
	if _, err := os.Stat(to); err != nil {
		if _, err := b.command(ctx, "refine", holes, "--steps", fmt.Sprint(b.steps), "--out", to, "--backend", b.backend); err != nil {
			return outcome{}, err
		}
	}
	return b.eval(ctx, name, to)
}

// command returns what mergevo prints, or its complaint. Paths of a family are relative
// to its folder, in which the program runs.
func (b *bench) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir = b.family.dir
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

// signed is a difference.
func (s score) signed() string { return fmt.Sprintf("%+.2f ± %.2f", 100*s.Mean, 100*s.Half) }

// outcome is what the events of a command say.
type outcome struct {
	score                      score   // of the last entry, on the last part of the examples
	gaps                       []score // paired, to what it was held against
	genes, failed, evaluations int
	examples                   int
}

// read takes from the events what the table shows.
func read(events []byte) (o outcome, err error) {
	err = errors.New("mergevo printed no score")
	for text := range bytes.Lines(events) {
		var e struct {
			Event               string
			Genes               []struct{}
			Failed, Evaluations int
			Examples            json.RawMessage // a number, of the event of a score
			Gaps                map[string]score
			Entries             []struct{ Parts map[string]score }
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return o, fmt.Errorf("mergevo printed what is no event: %w: %.200s", err, text)
		}
		switch e.Event {
		case "plan":
			o.genes = len(e.Genes)
		case "stopped":
			o.failed, o.evaluations = e.Failed, e.Evaluations
		case "score":
			n := 0
			if err := json.Unmarshal(e.Examples, &n); err != nil {
				return o, fmt.Errorf("mergevo printed a score of no examples: %w", err)
			}
			o.examples += n
		case "eval", "report":
			if len(e.Entries) > 0 {
				o.score, err = last(e.Entries[len(e.Entries)-1].Parts)
			}
		case "against":
			g, bad := last(e.Gaps)
			if bad != nil {
				return o, bad
			}
			o.gaps = append(o.gaps, g)
		}
	}
	return o, err
}

// last is the score on the last part of the examples that there is.
func last(parts map[string]score) (s score, err error) {
	err = errors.New("mergevo printed a score of nothing")
	for _, part := range []string{"search", "validation", "held out"} {
		if x, ok := parts[part]; ok {
			s, err = x, nil
		}
	}
	return s, err
}
