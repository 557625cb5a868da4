package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mergevo/mergevo/bench/floor"
)

// Times are not asserted: that everything runs, agrees and prints its figures is.
func TestEveryFigureIsPrinted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the benchmark needs /proc and coreutils' sync")
	}
	if testing.Short() {
		t.Skip("builds mergevo and merges")
	}
	ctx := context.Background()
	o, err := parse([]string{"--work", t.TempDir(), "--mergekit", "no", "--rounds", "1", "--backend", "go"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	b, err := prepare(ctx, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.work, "family-small")
	if err := b.idle(ctx); err != nil {
		t.Fatal(err)
	}
	// A digest is kept only of files that were not changed a moment ago.
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.safetensors"))
	for _, f := range files {
		before := time.Now().Add(-time.Hour)
		if err := os.Chtimes(f, before, before); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	p := &printer{out: &out, markdown: true}
	if err := b.agreement(ctx, p, dir, small); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if err := b.race(ctx, p, dir, small); err != nil {
		t.Fatal(err)
	}
	if err := b.digests(ctx, p, dir, small); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "out*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	text := out.String()
	for _, m := range methods {
		if n := strings.Count(text, "| "+m.name+" |"); n != 3 {
			t.Errorf("%s is in %d tables, want 3\n%s", m.name, n, text)
		}
	}
	for _, want := range []string{"| unpinned |", "| pinned, first use |", "| pinned, cached |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("a figure is missing:\n%s", text)
	}
	if _, err := floor.Compiler(); err == nil && !strings.Contains(text, fmt.Sprintf("| ties | %d | 0 | 0 | 0 |", small.Parameters())) {
		t.Errorf("mergevo's ties is not the C floor's:\n%s", text)
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--size 70":          "2 is the most",
		"--rounds 0":         "positive",
		"--methods median":   "breadcrumbs",
		"--mergekit perhaps": "yes or no",
		"stray":              "stray",
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
	o, err := parse([]string{"--methods", "ties,linear"}, io.Discard)
	if err != nil || strings.Join(names(o.methods), " ") != "ties linear" {
		t.Errorf("%v: %v", names(o.methods), err)
	}
}

func TestCompare(t *testing.T) {
	half := func(x float32) uint16 { return uint16(math.Float32bits(x) >> 16) }
	one := half(1)
	models := map[string]model{"base": {"a": {0, 0, 0, 0}}, "ft1": {"a": {one, one, half(2), half(4)}}, "ft2": {"a": {one, one, half(2), half(4)}}}
	ties, linear := methods[3], methods[0]
	if ties.name != "ties" || linear.name != "linear" {
		t.Fatal("the order of methods has changed")
	}
	ties.floor.Density = 0.75 // three are kept: of the two ones either
	for _, c := range []struct {
		what string
		m    method
		a, b []uint16
		want difference
	}{
		{"equal", ties, []uint16{1, 2, 3, 4}, []uint16{1, 2, 3, 4}, difference{}},
		{"a step", ties, []uint16{one, one, one, one}, []uint16{one, one + 1, one, one}, difference{1, 0, 0}},
		{"the other of two at the cut", ties, []uint16{one, 0, one, one}, []uint16{0, one, one, one}, difference{2, 2, 2}},
		{"away from the cut", ties, []uint16{one, one, one, one}, []uint16{one, one, one, 0}, difference{1, 1, 0}},
		{"far, no cuts", linear, []uint16{one, one, one, one}, []uint16{0, one, one, one}, difference{1, 1, 0}},
		{"cancelled to next to nothing", linear, []uint16{half(1e-8), one, one, one}, []uint16{half(5e-8), one, one, one}, difference{1, 0, 0}},
		{"not a number", linear, []uint16{0x7fc0, one, one, one}, []uint16{one, one, one, one}, difference{1, 1, 0}},
	} {
		got, err := compare(c.m, models, model{"a": c.a}, model{"a": c.b})
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, want %+v (%v)", c.what, got, c.want, err)
		}
	}
	if _, err := compare(ties, models, model{"a": {1}}, model{"b": {1}}); err == nil {
		t.Error("other tensors compare")
	}
	if steps(0x8000, 0) != 0 || steps(0x8001, 1) != 2 || steps(one, one+3) != 3 {
		t.Error("steps across zero or up")
	}
}

func TestMemoryIsSeen(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("dd"); err != nil {
		t.Skip(err)
	}
	// dd holds a block of its input in anonymous memory.
	u, err := command(context.Background(), t.TempDir(), nil, "sh", "-c", "exec dd bs=64M count=8 if=/dev/zero of=/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if u.anon < 32 || u.anon > 200 {
		t.Errorf("a block of 64 MiB is seen as %.0f MB", u.anon)
	}
	if _, err := command(context.Background(), t.TempDir(), nil, "sh", "-c", "echo said so; exit 3"); err == nil || !strings.Contains(err.Error(), "said so") {
		t.Errorf("a failure hides its words: %v", err)
	}
}

func TestRoom(t *testing.T) {
	if free, err := freeOf("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 100 40 60 40% /\n"); err != nil || free != 60<<10 {
		t.Errorf("%d, %v", free, err)
	}
	if _, err := freeOf("df: nothing\n"); err == nil {
		t.Error("nonsense is understood")
	}
	if err := room(context.Background(), t.TempDir(), math.MaxInt64); err == nil || !strings.Contains(err.Error(), "--work") {
		t.Errorf("there is room for anything: %v", err)
	}
}

func TestAims(t *testing.T) {
	b := &bench{options: options{size: aimSize, rounds: 1}, base: 20}
	r := &runs{method: methods[3], ours: []used{{2, 2, 400}}, copied: []used{{1, 1, 0}}, c: []used{{1.9, 1, 0}}, kit: []used{{19, 1, 0}}, imports: []used{{5, 1, 0}}}
	var out bytes.Buffer
	p := &printer{out: &out}
	b.print(p, []*runs{r}, 5e8)
	for _, want := range []string{"1.05x", "9.5x", "7.0x", "<= 1.5x C met", ">= 10x mergekit missed", "<= 300 MB missed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "x floor") {
		t.Error("ties has no aim of the floor")
	}
	b.size = 0.1
	if got := b.aims(r, nil, []float64{1}, []float64{1}); got[0] != "-" {
		t.Errorf("aims of another size: %v", got)
	}
}
