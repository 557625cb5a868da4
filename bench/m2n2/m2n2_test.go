package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/trace"
	"github.com/mergevo/mergevo/internal/xla"
	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge/niche"
)

const data = "../../testdata/digits"

// traced is the trace, and what its children are scored with.
func traced(t *testing.T) (trace.Trace, *digits, *xla.Backend, *exam) {
	t.Helper()
	tr, err := trace.Read(data + "/trace.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDigits(data)
	if err != nil {
		t.Fatal(err)
	}
	b := xlatest.Fastest(t)
	e, err := newExam(b, d, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	return tr, d, b, e
}

// The children of the trace, which trace.py makes and scores as float64 vectors, are
// right on the same digits when made of segments and scored in float32; but for a few of
// a million, on which two logits are equal but for rounding.
func TestTraceScores(t *testing.T) {
	tr, d, b, e := traced(t)
	steps := tr.Steps
	if b.Kind == "go" || testing.Short() {
		steps = steps[:50]
	}
	c := niche.Crossing{Split: true, Chromosomes: []int64{weights}}
	gram, err := d.gram()
	if err != nil {
		t.Fatal(err)
	}
	archive := make([]niche.Segments, tr.Archive)
	copy(archive, niche.Mixes{Crossing: c, Gram: gram}.Seeds())
	largest, differ := 0, 0
	for _, s := range steps {
		child := c.Cross(archive[s.A], archive[s.B], []niche.Cut{{At: s.Split, Ratio: s.Ratio}}, gram)
		child.Materialize(e.weights(0), d.seeds)
		scores, err := e.scores(1)
		if err != nil {
			t.Fatal(err)
		}
		want := tr.Items(s.Right)
		for j, v := range scores[0].Items {
			if v != want[j] {
				differ++
			}
		}
		if s.Slot < len(archive) {
			archive[s.Slot] = child
		}
		data, err := child.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(data))
	}
	t.Logf("%d steps on %s: %d digits differ; the largest model takes %d bytes", len(steps), b.Kind, differ, largest)
	if differ > 5 {
		t.Errorf("%d digits are scored another way", differ)
	}
	if largest > 10<<10 {
		t.Errorf("a model takes %d bytes", largest)
	}
}

func TestRun(t *testing.T) {
	for _, variant := range []string{"m2n2", "scratch"} {
		var twice [2]line
		for i := range twice {
			var out, talk bytes.Buffer
			args := []string{"--variant", variant, "--seeds", "1", "--evaluations", "20", "--in-flight", "2", "--backend", "go", "--data", data, "--json"}
			if err := run(context.Background(), args, &out, &talk); err != nil {
				t.Fatalf("%v\n%s", err, talk.String())
			}
			if err := json.Unmarshal(out.Bytes(), &twice[i]); err != nil {
				t.Fatal(err)
			}
			twice[i].Seconds = 0
		}
		if !reflect.DeepEqual(twice[0], twice[1]) || twice[0].Train <= 0 {
			t.Errorf("%s: %+v, then %+v", variant, twice[0], twice[1])
		}
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--variant m3n3":    `no variant "m3n3"`,
		"--seeds 0":         "positive",
		"--evaluations -1":  "positive",
		"--archive 1":       "archive of 1",
		"--data nowhere":    "nowhere",
		"extra":             `"extra"`,
		"--in-flight 0":     "children in flight",
		"--alpha -1 --json": "alpha",
	} {
		var out, talk bytes.Buffer
		all := append([]string{"--backend", "go", "--data", data}, strings.Fields(args)...)
		if err := run(context.Background(), all, &out, &talk); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func TestPlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "curves.svg")
	var out, talk bytes.Buffer
	args := []string{"--variant", "m2n2,ga", "--seeds", "2", "--evaluations", "30", "--backend", "go", "--data", data, "--plot", file}
	if err := run(context.Background(), args, &out, &talk); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	for _, name := range []string{file, strings.TrimSuffix(file, ".svg") + "-archive.svg"} {
		svg, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"m2n2", "ga", "evaluations"} {
			if !bytes.Contains(svg, []byte(want)) {
				t.Errorf("%s: no %q", filepath.Base(name), want)
			}
		}
	}
}

func TestMarks(t *testing.T) {
	if got, want := marks(30), []int{10, 13, 16, 20, 25, 30}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
