package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
	"github.com/mergevo/mergevo/bench/floor"
	"github.com/mergevo/mergevo/bench/measured"
	"github.com/mergevo/mergevo/bench/started"
)

//go:embed mergekit.sh
var mergekitScript []byte

// bench is one run: its options, and the programs that it measures.
type bench struct {
	options
	talk                       io.Writer
	mergevo, program, mergekit string // program is the C floor; it and mergekit are empty without
	// base is what mergevo takes with next to nothing to merge, in MB.
	base float64
}

// prepare builds what is measured.
func prepare(ctx context.Context, o options, talk io.Writer) (*bench, error) {
	b := &bench{options: o, talk: talk, mergevo: filepath.Join(o.work, "mergevo")}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return nil, err
	}
	if err := started.Build(ctx, b.mergevo); err != nil {
		return nil, err
	}
	var err error
	switch b.program, err = floor.Build(ctx, o.work); {
	case errors.Is(err, exec.ErrNotFound):
		b.note("no C compiler here (cc, or CC): the C floor is not measured")
	case err != nil:
		return nil, err
	}
	if o.mergekit && !o.memory && !o.large {
		if err := b.install(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// install finds mergekit, or makes its virtual environment.
func (b *bench) install(ctx context.Context) error {
	asked := b.venv != ""
	if !asked {
		b.venv = filepath.Join(b.work, "venv")
	}
	var err error
	if b.venv, err = filepath.Abs(b.venv); err != nil {
		return err
	}
	b.mergekit = filepath.Join(b.venv, "bin", "mergekit-yaml")
	if _, err := os.Stat(b.mergekit); err == nil {
		return nil
	}
	if asked {
		return fmt.Errorf("--venv %s: it has no bin/mergekit-yaml; leave --venv out to make one, or use --mergekit no", b.venv)
	}
	b.note("installing mergekit 0.1.5 into " + b.venv)
	script := filepath.Join(b.work, "mergekit.sh")
	if err := os.WriteFile(script, mergekitScript, 0o755); err != nil {
		return err
	}
	return quietly(ctx, "sh", script, b.venv)
}

// family makes a family of so many billions of parameters, or finds it there, in
// three shards a model.
func (b *bench) family(ctx context.Context, size float64) (dir string, s family.Shape, err error) {
	if s, err = family.OfSize(size); err != nil {
		return "", s, err
	}
	dir = filepath.Join(b.work, fmt.Sprintf("family-%g", size))
	need := family.Bytes(s) / int64(len(family.Models)) // an output
	if _, err := os.Stat(filepath.Join(dir, family.Models[2])); err != nil {
		need += family.Bytes(s)
		b.note(fmt.Sprintf("writing a family of %.1f million parameters in %s", float64(s.Parameters())/1e6, dir))
	}
	if err := room(ctx, b.work, need+need/20); err != nil {
		return "", s, err
	}
	return dir, s, family.Write(ctx, dir, s, shard(s))
}

// shard makes three of a model.
func shard(s family.Shape) int64 { return int64(s.Parameters())*2/3 + 1<<20 }

// room refuses a folder whose disk has fewer free bytes than needed.
func room(ctx context.Context, dir string, need int64) error {
	out, err := exec.CommandContext(ctx, "df", "-Pk", dir).Output()
	if err != nil {
		return fmt.Errorf("df %s: %w", dir, err)
	}
	free, err := freeOf(string(out))
	if err != nil {
		return fmt.Errorf("df %s: %w", dir, err)
	}
	if free < need {
		return fmt.Errorf("%s: %.1f GB are needed and %.1f GB are free; choose another folder with --work or a smaller --size", dir, float64(need)/1e9, float64(free)/1e9)
	}
	return nil
}

// freeOf reads the available bytes from what `df -Pk` prints of one folder.
func freeOf(text string) (int64, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(lines) < 2 || len(fields) < 4 {
		return 0, fmt.Errorf("not understood: %q", text)
	}
	kb, err := strconv.ParseInt(fields[3], 10, 64)
	return kb << 10, err
}

// note is talk, which no program reads.
func (b *bench) note(text string) { fmt.Fprintln(b.talk, "bench:", text) }

// describe prints what is measured, and where.
func (b *bench) describe(ctx context.Context, p *printer) error {
	cpu := "unknown processor"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(data), "model name\t: "); ok {
			cpu, _, _ = strings.Cut(rest, "\n")
		}
	}
	memory := ""
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		if kb, err := measured.Field(string(data), "MemTotal:"); err == nil {
			memory = fmt.Sprintf(", %.0f GB of memory", kb/1e6)
		}
	}
	load := ""
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + strings.Join(strings.Fields(string(data))[:3], " ") + " at the start"
	}
	p.text("%s/%s, %s, %d cores%s%s\n", runtime.GOOS, runtime.GOARCH, cpu, runtime.NumCPU(), memory, load)
	if b.mergekit == "" {
		return nil
	}
	code := "import importlib.metadata as m; print('mergekit', m.version('mergekit') + ', torch', m.version('torch'))"
	out, err := exec.CommandContext(ctx, filepath.Join(b.venv, "bin", "python"), "-c", code).Output()
	if err != nil {
		return fmt.Errorf("asking %s for its versions: %w", b.venv, err)
	}
	p.text("%s", out)
	return nil
}

func quietly(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
