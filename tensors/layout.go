package tensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// outFile is one file to write: its header is known before any number is.
type outFile struct {
	name   string // final name, without folder
	header []byte // length, JSON and padding
	slots  []*slot
	data   int64 // bytes of all tensors

	out     output
	kept    bool  // found whole, as an earlier writing left it
	sealed  bool  // on the disk, whole, and in the journal if there is one
	pending int64 // bytes of tensors not yet written
	users   int   // writes that need it open
}

// size returns the bytes of the whole file.
func (f *outFile) size() int64 { return int64(len(f.header)) + f.data }

// slot is a tensor's place in its file.
type slot struct {
	Info
	file    *outFile
	at      int64 // byte of the file
	bytes   int64
	written spans
}

// plan distributes a layout over files, in its order: a tensor goes into the
// current shard, or opens the next when it would exceed limit. One shard is
// written as a single file without index, as Hugging Face does.
func plan(layout []Info, single string, limit int64, meta map[string]string) ([]*outFile, error) {
	files := []*outFile{{}}
	seen := make(map[string]bool, len(layout))
	for _, t := range layout {
		n, err := byteSize(t.DType, t.Shape)
		switch {
		case err != nil:
		case t.Name == "" || t.Name == "__metadata__":
			err = errors.New("not a name for a tensor")
		case !utf8.ValidString(t.Name):
			err = errors.New("its name is not valid UTF-8")
		case seen[t.Name]:
			err = errors.New("twice in the layout")
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		seen[t.Name] = true
		f := files[len(files)-1]
		if limit > 0 && len(f.slots) > 0 && n > limit-f.data {
			f = &outFile{}
			files = append(files, f)
		}
		t.Shape = slices.Clone(t.Shape)
		f.slots = append(f.slots, &slot{Info: t, file: f, bytes: n})
		f.data += n
		if f.data < 0 {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, errTooLarge)
		}
	}
	for i, f := range files {
		f.name = single
		if len(files) > 1 {
			f.name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
		}
		if err := f.layOut(meta); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// layOut places the tensors and writes the header in memory. Wider elements
// come first, so that with a header padded to 8 bytes all are aligned.
func (f *outFile) layOut(meta map[string]string) error {
	slices.SortStableFunc(f.slots, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), cmp.Compare(a.Name, b.Name))
	})
	var b bytes.Buffer
	b.Write(make([]byte, prefix))
	b.WriteString(`{"__metadata__":`)
	if err := writeJSON(&b, meta); err != nil {
		return err
	}
	var done int64
	for _, s := range f.slots {
		b.WriteByte(',')
		if err := writeJSON(&b, s.Name); err != nil {
			return err
		}
		b.WriteByte(':')
		shape := s.Shape
		if shape == nil {
			shape = []int{} // a scalar, not null
		}
		err := writeJSON(&b, struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{s.DType.String(), shape, [2]int64{done, done + s.bytes}})
		if err != nil {
			return err
		}
		s.at, done = done, done+s.bytes
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - prefix
	if n > maxHeader {
		return fmt.Errorf("a header of %d bytes is over the format's limit of %d; write less metadata or smaller shards", n, maxHeader)
	}
	f.header = b.Bytes()
	binary.LittleEndian.PutUint64(f.header, uint64(n))
	for _, s := range f.slots {
		s.at += int64(b.Len())
	}
	f.pending = f.data
	return nil
}

// writeJSON leaves <, > and & readable: tensors are no web pages.
func writeJSON(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // Encode's newline
	return nil
}

// indexJSON is the index of the shards, in the form transformers writes.
func indexJSON(files []*outFile) ([]byte, error) {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	index.WeightMap = map[string]string{}
	for _, f := range files {
		index.Metadata.TotalSize += f.data
		for _, s := range f.slots {
			index.WeightMap[s.Name] = f.name
		}
	}
	var b bytes.Buffer
	if err := writeJSON(&b, index); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
