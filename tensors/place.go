package tensors

import (
	"cmp"
	"slices"

	"github.com/nlpodyssey/safetensors"
)

// place turns offsets within the data into offsets within the file, and
// checks that the tensors cover the data exactly: each of the size its shape
// says, one after the other, to the last byte.
func (h *header) place(path string, data, size int64, entries map[string]entry) error {
	slices.SortFunc(h.tensors, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.Name, b.Name))
	})
	var done int64
	before := ""
	for i := range h.tensors {
		t := &h.tensors[i]
		fail := func(format string, args ...any) error {
			return malformed(path, entries[t.Name].at, t.Name, format, args...)
		}
		if t.begin > t.end {
			return fail("data_offsets [%d, %d] are reversed", t.begin, t.end)
		}
		want, err := byteSize(t.DType, t.Shape)
		if err != nil {
			return fail("%w", err)
		}
		if have := t.end - t.begin; have != want {
			return fail("data_offsets give it %d bytes, but %v of shape %v takes %d; the file is damaged: download it again", have, t.DType, t.Shape, want)
		}
		if t.begin < done {
			return fail("overlaps tensor %q: starts at byte %d of the data, before %d; the file is damaged: download it again", before, t.begin, done)
		}
		if t.begin > done {
			return fail("bytes %d to %d of the data, before it, belong to no tensor; the file is damaged: download it again", done, t.begin)
		}
		if t.end > size-data {
			return fail("truncated: it ends at byte %d of the data and the file holds %d; download it again", t.end, size-data)
		}
		done, before = t.end, t.Name
		t.begin, t.end = data+t.begin, data+t.end
	}
	if extra := size - data - done; extra > 0 {
		return malformed(path, data+done, "", "%d bytes after the last tensor belong to no tensor; the file is damaged: download it again", extra)
	}
	return nil
}

// withKnownDTypes returns the header with the dtypes the library lacks (F8 and
// smaller) replaced by one it has, so that it can decode shapes and offsets:
// the walk keeps the true ones. Any other header is returned as it is.
func withKnownDTypes(raw []byte, entries map[string]entry) []byte {
	var foreign []entry
	for _, e := range entries {
		if _, err := safetensors.ParseDType(e.dtype.String()); err != nil {
			foreign = append(foreign, e)
		}
	}
	if len(foreign) == 0 {
		return raw
	}
	slices.SortFunc(foreign, func(a, b entry) int { return cmp.Compare(a.from, b.from) })
	out := make([]byte, 0, len(raw))
	done := 0
	for _, e := range foreign {
		out = append(out, raw[done:e.from]...)
		out = append(out, `"U8"`...)
		done = e.to
	}
	return append(out, raw[done:]...)
}
