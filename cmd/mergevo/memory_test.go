package main

import (
	"strings"
	"testing"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/merge"
)

// sevenB is base + 3 of llama's shape with 7 billion parameters, and prompts of 512 tokens.
func sevenB(kind string) fitting {
	const parameters = 6738415616
	m := &models.Model{Text: &models.Text{Vocabulary: 32000, Width: 4096, Wide: 4*4096 + 3*11008 + 2*4096, Heads: 32,
		Decode: &models.Decode{Blocks: &models.Blocks{Layers: 32}, KeyHeads: 32, HeadDim: 128}}}
	d := &evaluate.Dataset{Name: "writing", Kind: evaluate.Generate, Writing: &evaluate.Writing{MaxTokens: 128}}
	for range 1000 {
		d.Sequences, d.Labels = append(d.Sequences, evaluate.Sequence{IDs: make([]int32, 500)}), append(d.Labels, 0)
	}
	return fitting{model: m, exams: &exams{search: []*evaluate.Dataset{d}, metrics: map[string]string{}}, kind: kind, footprint: merge.Footprint{
		Parents: 4 * 2 * parameters, Merged: 2 * parameters, Wide: 4 * parameters, Operands: 8 * 32000 * 4096, Values: 4 * 32000 * 4096, Largest: 4 * 32000 * 4096,
	}}
}

func (f fitting) plans() plans {
	p := evaluate.NewPlan(f.model, 1, 1000, f.kind == "xla:cuda")
	return plans{p, p}
}

// The batch is lowered first, then parents leave the device for the host, then for the
// disk, and what fits nowhere is refused with the numbers.
func TestSettle(t *testing.T) {
	const gb = 1e9
	for _, c := range []struct {
		kind         string
		device, host float64
		place        merge.Placement
		lowered      bool
		fails        string
	}{
		{"xla:cuda", 1000 * gb, 1000 * gb, merge.OnDevice, false, ""},
		{"xla:cuda", 80 * gb, 20 * gb, merge.OnDevice, true, ""},
		{"xla:cuda", 48 * gb, 64 * gb, merge.InHost, true, ""},
		{"xla:cuda", 48 * gb, 20 * gb, merge.OnDisk, true, ""},
		{"xla:cuda", 10 * gb, 64 * gb, 0, false, "does not fit into 10.0 GB of the device and 64.0 GB of the host"},
		{"xla:cpu", 64 * gb, 64 * gb, merge.OnDisk, false, ""},
		{"xla:cpu", 18 * gb, 64 * gb, merge.OnDisk, true, ""},
		{"xla:cpu", 10 * gb, 64 * gb, 0, false, "with parents on disk"},
	} {
		f := sevenB(c.kind)
		r := room{device: int64(c.device), host: int64(c.host), apart: c.kind == "xla:cuda"}
		got, err := f.settle(r, f.plans(), false, nil)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s, %.0f GB: %v", c.kind, c.device/gb, err)
			}
			continue
		}
		if err != nil || got.place != c.place || got.lowered != c.lowered {
			t.Errorf("%s, %.0f GB: parents %s, lowered %v, %v", c.kind, c.device/gb, got.place, got.lowered, err)
		}
		if device, host := r.peak(got.memory); device > r.device || host > r.host {
			t.Errorf("%s, %.0f GB: %d and %d bytes do not fit", c.kind, c.device/gb, device, host)
		}
	}
}

// A cache of keys and values counts, and a plan that is lowered has a smaller one.
func TestCacheIsPlanned(t *testing.T) {
	f := sevenB("xla:cuda")
	line := func(m evaluate.Memory, what string) int64 {
		for _, l := range m {
			if l.What == what {
				return l.Bytes
			}
		}
		t.Fatalf("no line of %s", what)
		return 0
	}
	pl := f.plans()
	large := f.memory(pl, merge.OnDevice)
	// 512 tokens of a prompt and 128 more, of 36 rows, which are 18,640 tokens at most:
	// keys and values before and after a step.
	if got, want := line(large, "KV cache"), int64(2*2*4*36*640*32*32*128); got != want {
		t.Errorf("a cache of %d bytes, want %d", got, want)
	}
	if wide := line(large, "merged weights"); wide != f.footprint.Wide {
		t.Errorf("what writes has weights of %d bytes", wide)
	}
	lower, ok := f.lower(pl, merge.OnDevice)
	if !ok || line(f.memory(lower, merge.OnDevice), "merged weights") != f.footprint.Merged {
		t.Errorf("the first to go are the wide weights: %+v", lower)
	}
	for ok {
		pl = lower
		lower, ok = f.lower(pl, merge.OnDevice)
	}
	if small := line(f.memory(pl, merge.OnDevice), "KV cache"); 30*small > line(large, "KV cache") {
		t.Errorf("the least cache has %d bytes", small)
	}
}

// What a run has begun with stays, and a place that is asked for is not left.
func TestSettleKeeps(t *testing.T) {
	f := sevenB("xla:cuda")
	r := room{device: 80e9, host: 1e12, apart: true}
	pl := f.plans()
	disk := merge.OnDisk
	got, err := f.settle(r, pl, false, &disk)
	if err != nil || got.place != merge.OnDisk {
		t.Errorf("%v, %v", got.place, err)
	}
	pl.Search.Tokens, pl.Report.Tokens, pl.Search.Narrow, pl.Report.Narrow = 1024, 1024, true, true
	got, err = f.settle(r, pl, true, nil)
	if err != nil || got.plans != pl || got.lowered {
		t.Errorf("%+v, %v", got.plans, err)
	}
	device := merge.OnDevice
	r.device = 60e9
	if _, err = f.settle(r, pl, true, &device); err == nil || !strings.Contains(err.Error(), "--placement auto") {
		t.Errorf("got %v", err)
	}
}

// What only reads is held a layer at a time before its parents leave the device, where
// that takes less.
func TestSettleLayerwise(t *testing.T) {
	f := sevenB("xla:cuda")
	f.model.Text.Blocks = f.model.Text.Decode.Blocks
	d := f.exams.search[0]
	d.Kind, d.Writing = evaluate.Classification, nil
	f.footprint.OneLayer = 1e9
	r := room{device: 60e9, host: 1e12, apart: true}
	got, err := f.settle(r, f.plans(), false, nil)
	if err != nil || got.place != merge.OnDevice || !got.plans.Search.Layerwise {
		t.Errorf("%+v, %v", got.plans, err)
	}
	f.footprint.OneLayer = f.footprint.Merged - 1
	if lower, ok := f.lower(f.plans(), merge.OnDevice); !ok || lower.Search.Layerwise {
		t.Errorf("%+v: a layer at a time takes more", lower)
	}
}
