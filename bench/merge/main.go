// Command merge measures `mergevo apply` beside the floor that reading and writing
// set, beside plain C, and beside mergekit, in turn, in one run. See bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/bench/family"
)

// methods are measured in this order; those that the C floor knows have its name.
var methods = []struct {
	name, recipe string
	c            bool
}{
	{"linear", both("linear", "{weight: 0.5}", "{weight: 0.3}"), true},
	{"task_arithmetic", both("task_arithmetic", "{weight: 0.5}", "{weight: 0.3}"), true},
	{"slerp", "merge_method: slerp\nbase_model: base\nmodels: [{model: base}, {model: ft1}]\nparameters: {t: 0.4}\ndtype: bfloat16\n", false},
	{"ties", both("ties", "{weight: 0.5, density: 0.5}", "{weight: 0.3, density: 0.5}"), true},
	{"breadcrumbs", both("breadcrumbs", "{weight: 0.5, density: 0.5}", "{weight: 0.3, density: 0.5}"), true},
	{"dare_ties", both("dare_ties", "{weight: 0.5, density: 0.5}", "{weight: 0.3, density: 0.5}"), false},
}

func both(method, a, b string) string {
	base := "base_model: base\n"
	if method == "linear" {
		base = "" // mergekit asks for the base's weight otherwise
	}
	return fmt.Sprintf("merge_method: %s\n%smodels:\n- {model: ft1, parameters: %s}\n- {model: ft2, parameters: %s}\ndtype: bfloat16\n", method, base, a, b)
}

// bench is one run of the benchmark.
type bench struct {
	dir, mergevo, floor, mergekit, backend string
	threads                                int
}

func main() {
	var b bench
	size := flag.Float64("size", 0.5, "billions of parameters: 0.02, 0.1, 0.5, 1, 2")
	rounds := flag.Int("rounds", 3, "times that everything is measured in turn")
	work := flag.String("work", filepath.Join(os.TempDir(), "mergevo-bench"), "folder of models and outputs; models that are there are used")
	venv := flag.String("venv", "", "virtual environment with mergekit 0.1.5; made in the work folder if empty; none leaves mergekit out")
	memory := flag.Bool("memory", false, "measure peak anonymous memory at 0.1, 0.5, 1 and 2 billion parameters (sparse zeros) instead")
	only := flag.String("methods", "", "comma-separated; all if empty")
	flag.StringVar(&b.backend, "backend", "xla:cpu", "of mergevo")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := b.prepare(ctx, *work, *venv)
	if err == nil && *memory {
		err = b.memory(ctx)
	} else if err == nil {
		err = b.run(ctx, *size, *rounds, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/merge:", err)
		os.Exit(1)
	}
}

// prepare builds what is measured.
func (b *bench) prepare(ctx context.Context, work, venv string) error {
	var err error
	if b.dir, err = filepath.Abs(work); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	b.threads = runtime.GOMAXPROCS(0)
	b.mergevo, b.floor = filepath.Join(b.dir, "mergevo"), filepath.Join(b.dir, "floor")
	if err := quietly(ctx, "go", "build", "-o", b.mergevo, "./cmd/mergevo"); err != nil {
		return err
	}
	if err := quietly(ctx, "cc", "-O3", "-march=native", "-o", b.floor, "bench/floor/floor.c", "-lpthread"); err != nil {
		return err
	}
	switch venv {
	case "none":
		return nil
	case "":
		venv = filepath.Join(b.dir, "venv")
		if _, err := os.Stat(filepath.Join(venv, "bin", "mergekit-yaml")); err != nil {
			fmt.Fprintln(os.Stderr, "installing mergekit 0.1.5 into", venv)
			if err := quietly(ctx, "python3", "-m", "venv", venv); err != nil {
				return err
			}
			if err := quietly(ctx, filepath.Join(venv, "bin", "pip"), "install", "-q", "mergekit==0.1.5"); err != nil {
				return err
			}
		}
	}
	b.mergekit = filepath.Join(venv, "bin", "mergekit-yaml")
	_, err = os.Stat(b.mergekit)
	return err
}

func quietly(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// line is a method's figures, one a round.
type line struct {
	name                           string
	ours, floor, c, kit            []float64 // seconds
	ourCPU, imports, peak, kitPeak []float64
}

func (b *bench) run(ctx context.Context, size float64, rounds int, only string) error {
	shape, err := family.OfSize(size)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, fmt.Sprintf("family-%g", size))
	fmt.Fprintf(os.Stderr, "family of %.1f million parameters in %s\n", float64(shape.Parameters())/1e6, dir)
	if err := family.Write(dir, shape, int64(shape.Parameters())*2/3+1<<20); err != nil {
		return err
	}
	plan, err := writePlan(dir)
	if err != nil {
		return err
	}
	idle, err := b.idle(ctx, dir)
	if err != nil {
		return err
	}
	var lines []*line
	for _, m := range methods {
		if only == "" || slices.Contains(strings.Split(only, ","), m.name) {
			lines = append(lines, &line{name: m.name})
		}
	}
	for round := range rounds {
		for _, l := range lines {
			i := slices.IndexFunc(methods, func(m struct {
				name, recipe string
				c            bool
			}) bool {
				return m.name == l.name
			})
			if err := b.measure(ctx, l, dir, plan, methods[i].recipe, methods[i].c); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "round %d: %s\n", round+1, l.last())
		}
	}
	return b.print(lines, idle)
}

// measure runs everything for one method once, each after a sync.
func (b *bench) measure(ctx context.Context, l *line, dir, plan, recipe string, c bool) error {
	config := filepath.Join(dir, l.name+".yml")
	if err := os.WriteFile(config, []byte(recipe), 0o644); err != nil {
		return err
	}
	out := filepath.Join(dir, "out")
	inputs := family.Models
	switch l.name {
	case "linear":
		inputs = inputs[1:]
	case "slerp":
		inputs = inputs[:2]
	}
	script := "cd '" + dir + "' && cat"
	for _, m := range inputs {
		script += " " + m + "/*.safetensors"
	}
	script += " >/dev/null && cp -r base out && sync -f out"
	steps := []struct {
		into *[]float64
		run  func() (used, error)
	}{
		{&l.floor, func() (used, error) { return b.time(ctx, dir, "sh", "-c", script) }},
		{&l.ours, func() (used, error) {
			return b.time(ctx, dir, b.mergevo, "apply", config, "--out", out, "--shard-size", "400MB", "--backend", b.backend)
		}},
	}
	if c {
		steps = append(steps, struct {
			into *[]float64
			run  func() (used, error)
		}{&l.c, func() (used, error) {
			return b.time(ctx, dir, "sh", "-c", fmt.Sprintf("'%s' %s %d '%s' '%s' && sync -f '%s'", b.floor, l.name, b.threads, plan, out, out))
		}})
	}
	if b.mergekit != "" {
		steps = append(steps, struct {
			into *[]float64
			run  func() (used, error)
		}{&l.kit, func() (used, error) {
			return b.time(ctx, dir, b.mergekit, config, out, "--no-copy-tokenizer", "--quiet", "--no-write-model-card", "--out-shard-size", "400M")
		}}, struct {
			into *[]float64
			run  func() (used, error)
		}{&l.imports, func() (used, error) { return b.time(ctx, dir, b.mergekit, "--help") }})
	}
	for _, s := range steps {
		if err := os.RemoveAll(out); err != nil {
			return err
		}
		if err := quietly(ctx, "sync"); err != nil {
			return err
		}
		u, err := s.run()
		if err != nil {
			return err
		}
		*s.into = append(*s.into, u.wall)
		switch s.into {
		case &l.ours:
			l.ourCPU, l.peak = append(l.ourCPU, u.cpu), append(l.peak, u.anon)
		case &l.kit:
			l.kitPeak = append(l.kitPeak, u.anon)
		}
	}
	return os.RemoveAll(out)
}

// used is what a command took: seconds, and megabytes of anonymous memory.
type used struct{ wall, cpu, anon float64 }

// time runs a command and samples its memory.
func (b *bench) time(ctx context.Context, dir, name string, args ...string) (used, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CUDA_VISIBLE_DEVICES=", "HF_HUB_OFFLINE=1")
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return used{}, err
	}
	done := make(chan float64)
	ended := make(chan struct{})
	go func() { done <- peakAnon(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := used{wall: time.Since(began).Seconds()}
	close(ended)
	u.anon = <-done
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, text.String())
	}
	u.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return u, nil
}

var errNoStatus = errors.New("no RssAnon")
