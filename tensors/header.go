package tensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader is the format's own limit on the JSON header, in bytes.
const maxHeader = 100_000_000

// prefix is the length of the number before the header.
const prefix = 8

// located is a tensor and the bytes of its file that hold it.
type located struct {
	Info
	begin, end int64
}

// header is what a file says about itself.
type header struct {
	tensors []located // in the order of their bytes
	meta    map[string]string
}

// entry is what the walk leaves of one tensor for the checks after it.
type entry struct {
	at       int64 // byte of the file where the name stands
	dtype    DType
	from, to int // bytes of the header that hold the dtype, quotes included
}

// readHeader reads and checks the header of a file of size bytes, and reads
// nothing else of it.
func readHeader(r io.ReaderAt, path string, size int64) (*header, error) {
	raw, err := headerBytes(r, path, size)
	if err != nil {
		return nil, err
	}
	entries, err := walkHeader(path, raw)
	if err != nil {
		return nil, err
	}
	// The library decodes; what it would let pass, the walk has refused.
	var m safetensors.Metadata
	if err := m.UnmarshalJSON(withKnownDTypes(raw, entries)); err != nil {
		return nil, &FormatError{Path: path, Offset: prefix, Err: err}
	}
	h := &header{meta: m.Metadata()}
	for name, t := range m.Tensors() {
		shape := make([]int, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = int(d)
		}
		h.tensors = append(h.tensors, located{
			Info:  Info{Name: name, DType: entries[name].dtype, Shape: shape},
			begin: int64(t.DataOffsets[0]),
			end:   int64(t.DataOffsets[1]),
		})
	}
	if err := h.place(path, prefix+int64(len(raw)), size, entries); err != nil {
		return nil, err
	}
	return h, nil
}

// headerBytes checks the length against the file before it reads, so that a
// lying length allocates nothing.
func headerBytes(r io.ReaderAt, path string, size int64) ([]byte, error) {
	var first [prefix]byte
	if size < prefix {
		return nil, malformed(path, 0, "", "only %d bytes, too short for a safetensors file; download it again", size)
	}
	if _, err := r.ReadAt(first[:], 0); err != nil {
		return nil, fmt.Errorf("reading the header of %s: %w", path, err)
	}
	if what := disguise(first[:]); what != "" {
		return nil, malformed(path, 0, "", "%s", what)
	}
	n := binary.LittleEndian.Uint64(first[:])
	switch {
	case n > maxHeader:
		return nil, malformed(path, 0, "", "a header of %d bytes is over the format's limit of %d; this is no safetensors file or it is damaged", n, maxHeader)
	case n > uint64(size-prefix):
		return nil, malformed(path, 0, "", "truncated: the header takes %d bytes and only %d follow; download it again", n, size-prefix)
	case n < 2:
		return nil, malformed(path, 0, "", "a header of %d bytes cannot hold a JSON object; download it again", n)
	}
	raw := make([]byte, n)
	if _, err := r.ReadAt(raw, prefix); err != nil {
		return nil, fmt.Errorf("reading the header of %s: %w", path, err)
	}
	if raw[0] != '{' {
		return nil, malformed(path, prefix, "", "the header does not start with %q; this is no safetensors file or it is damaged", '{')
	}
	return raw, nil
}

// disguise recognises what people have in place of a safetensors file. A length
// that the format allows has four zeros at its end: a header of 640 bytes begins
// as pickles do, one of 8,508 as web pages do.
func disguise(first []byte) string {
	switch {
	case binary.LittleEndian.Uint32(first[4:]) == 0:
		return ""
	case bytes.HasPrefix(first, []byte("version ")):
		return "a Git LFS pointer, not the weights; run `git lfs pull`"
	case bytes.HasPrefix(first, []byte("PK\x03\x04")), bytes.HasPrefix(first, []byte{0x80, 2}):
		return "a PyTorch pickle, not safetensors; convert it first"
	case bytes.HasPrefix(first, []byte("GGUF")):
		return "a GGUF file, not safetensors"
	case bytes.HasPrefix(first, []byte("<!")), bytes.HasPrefix(first, []byte("<htm")):
		return "a web page, not safetensors; the download was refused or needs a login"
	}
	return ""
}

// walkHeader checks the header's grammar and returns its tensors by name.
func walkHeader(path string, raw []byte) (map[string]entry, error) {
	w, err := newWalker(path, prefix, raw)
	if err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	err = w.object("the header", func(key string, at int) error {
		if key == "__metadata__" {
			return w.metadata()
		}
		w.tensor = key
		defer func() { w.tensor = "" }()
		e, err := w.entry(at)
		entries[key] = e
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, w.end(" ")
}

func (w *walker) metadata() error {
	return w.object("__metadata__", func(key string, _ int) error {
		_, _, _, err := w.str(fmt.Sprintf("__metadata__ %q", key))
		return err
	})
}

// entry checks one tensor's description, its numbers only one by one.
func (w *walker) entry(at int) (entry, error) {
	e := entry{at: w.base + int64(at)}
	var has struct{ dtype, shape, offsets bool }
	err := w.object("its entry", func(key string, at int) error {
		switch key {
		case "dtype":
			has.dtype = true
			name, from, to, err := w.str("dtype")
			if err != nil {
				return err
			}
			e.from, e.to = from, to
			if e.dtype, err = ParseDType(name); err != nil {
				return w.fail(from, "%w; the file is damaged or newer than this program", err)
			}
		case "shape":
			has.shape = true
			_, err := w.naturals("shape")
			return err
		case "data_offsets":
			has.offsets = true
			n, err := w.naturals("data_offsets")
			if err == nil && n != 2 {
				err = w.fail(at, "data_offsets must hold 2 numbers, not %d", n)
			}
			return err
		default:
			return w.fail(at, "its entry has the unknown key %q", key)
		}
		return nil
	})
	if err != nil {
		return e, err
	}
	switch {
	case !has.dtype:
		return e, w.fail(at, "its entry lacks %q", "dtype")
	case !has.shape:
		return e, w.fail(at, "its entry lacks %q", "shape")
	case !has.offsets:
		return e, w.fail(at, "its entry lacks %q", "data_offsets")
	}
	return e, nil
}
