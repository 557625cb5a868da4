package tensors_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// No bytes make Open panic or take memory out of proportion, and what it opens
// is what the reference library reads.
func FuzzOpen(f *testing.F) {
	for _, test := range valid {
		f.Add(file(test.header, make([]byte, test.data)...))
	}
	for _, test := range malformed {
		f.Add(test.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := put(t, t.TempDir(), "m.safetensors", raw)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := tensors.Open(path)
		runtime.ReadMemStats(&after)
		// A parsed header is larger than its text, by a factor and no more.
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20+200*uint64(len(raw)) {
			t.Errorf("%d bytes allocated for a file of %d", used, len(raw))
		}
		if err != nil {
			var fe *tensors.FormatError
			if !errors.As(err, &fe) {
				t.Errorf("%v: a %T, want a *FormatError", err, err)
			}
			return
		}
		defer c.Close()
		agree(t, c, raw)
	})
}

// The same for an index, which names files.
func FuzzOpenIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":0},"weight_map":{"t":"model.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"t":"../model.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"t":"a","t":"b"}}`))
	shard := file(`{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`)
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		put(t, dir, "model.safetensors", shard)
		c, err := tensors.Open(put(t, dir, "model.safetensors.index.json", raw))
		if err != nil {
			return
		}
		defer c.Close()
		if !json.Valid(raw) {
			t.Error("opened what is no JSON")
		}
	})
}
