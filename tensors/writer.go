package tensors

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// Options says how Create writes. The zero value writes a folder with one
// model.safetensors.
type Options struct {
	// Single is the path of the one file to write instead of a folder.
	Single string
	// ShardSize is the most bytes of tensors a file may hold; 0 is no limit.
	// A larger tensor gets a shard of its own. More than one shard come with
	// an index.
	ShardSize int64
	// Metadata goes into every header. "format": "pt" is added where it has no
	// format, for transformers refuses to load files without.
	Metadata map[string]string
	// Identity, if not empty, lets an output folder that was not finished be
	// continued: it says what is being written, such as a digest of the recipe and
	// of the models. Files that are whole then stay in DIR.partial when the writing
	// fails or the process dies, and Create with the same identity and layout keeps
	// them. It refuses another's beginning, and waits for no other process
	// ([ErrBusy]).
	Identity string
	// Fault, for tests, is called before and after each create, write, fsync
	// and rename, with op such as "before write", from any goroutine that
	// writes. The error it returns is the step's.
	Fault func(op, path string) error
}

// Writer writes a checkpoint that appears at Commit. Its methods may be called
// from several goroutines at once, but Commit and Close only when the others
// have returned.
type Writer struct {
	disk
	target *target
	single bool
	files  []*outFile
	where  map[string]*slot
	kept   int64     // bytes found written
	pieces sync.Pool // *[]byte for WriteAt
	// journal is of a folder that can be continued, nil of others.
	journal *journal

	mu     sync.Mutex
	extra  map[string]bool
	failed error // the first failed step; nothing after it is worth keeping
	ended  error // what methods return after Commit or Close
}

// pieceBytes is what WriteAt encodes and writes at a time.
const pieceBytes = 1 << 20

// Create begins a checkpoint of the tensors in layout under dir, or in the one
// file o.Single. Nothing appears under that name before [Writer.Commit].
//
// It refuses a layout with a tensor twice or of no size, a name that is taken
// ([ErrExists]; an empty folder is free) and an output for which the disk has
// no room ([ErrNoSpace]). Missing parent folders are made.
func Create(dir string, layout []Info, o Options) (_ *Writer, err error) {
	asked, file := dir, singleName
	if o.Single != "" {
		if dir != "" && dir != o.Single || o.ShardSize != 0 {
			return nil, fmt.Errorf("single file %s: it takes neither a folder nor shards", o.Single)
		}
		asked, file = o.Single, filepath.Base(o.Single)
	}
	if asked == "" {
		return nil, errors.New("output has no name")
	}
	if o.ShardSize < 0 {
		return nil, fmt.Errorf("shard size %d is negative", o.ShardSize)
	}
	meta := map[string]string{"format": "pt"}
	maps.Copy(meta, o.Metadata)
	files, err := plan(layout, file, o.ShardSize, meta)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", asked, err)
	}
	t, err := newTarget(asked, o.Single == "")
	if err != nil {
		return nil, err
	}
	w := &Writer{
		disk:   disk{o.Fault},
		target: t,
		single: o.Single != "",
		files:  files,
		where:  map[string]*slot{},
		extra:  map[string]bool{},
	}
	w.pieces.New = func() any { b := make([]byte, pieceBytes); return &b }
	defer func() {
		if err != nil {
			w.Close() // what it could not remove is named after the output; err says why
		}
	}()
	for _, f := range files {
		for _, s := range f.slots {
			w.where[s.Name] = s
		}
	}
	if o.Identity != "" && !w.single {
		if err := w.continueWork(o.Identity); err != nil {
			return nil, err
		}
	}
	var need int64
	for _, f := range files {
		if !f.out.done {
			need += int64(len(f.header)) + f.data
		}
		if need < 0 {
			return nil, fmt.Errorf("output %s: %w", asked, errTooLarge)
		}
		f.out.path = filepath.Join(t.work, f.name)
		if w.single {
			f.out.path = t.work
		}
	}
	if err := t.room(need); err != nil {
		return nil, err
	}
	// Now, so that a folder that cannot be written to is an error here.
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// begin makes the temporary folder or file.
func (w *Writer) begin() error {
	if w.single {
		return w.start(w.files[0])
	}
	if w.target.begun { // and is continued
		return nil
	}
	return w.step("create", w.target.work, func() error {
		err := os.Mkdir(w.target.work, 0o755)
		w.target.begun = err == nil
		return err
	})
}

// start creates a file and writes its header.
func (w *Writer) start(f *outFile) error {
	if err := w.create(&f.out); err != nil {
		return err
	}
	return w.write(&f.out, f.header, 0)
}

// WriteAt encodes src as the elements of a tensor from off on, in row-major
// order, rounding to nearest even. Ranges may come in any order, each once. A
// value that the dtype cannot hold becomes infinite; telling is the caller's.
func (w *Writer) WriteAt(src []float32, name string, off int) error {
	s, ok := w.where[name]
	if !ok {
		return fmt.Errorf("output %s: %w: %q", w.target.asked, ErrNoTensor, name)
	}
	if !s.DType.Float() {
		return fmt.Errorf("output %s: tensor %q is %v, which is not written from numbers", w.target.asked, name, s.DType)
	}
	if n := s.Len(); off < 0 || off > n || len(src) > n-off {
		return fmt.Errorf("output %s: tensor %q has %d elements; [%d, %d) is out of range", w.target.asked, name, n, off, off+len(src))
	}
	size := s.DType.Size()
	from, n := int64(off)*int64(size), int64(len(src))*int64(size)
	if err := w.reserve(s, from, n); err != nil {
		return err
	}
	piece := w.pieces.Get().(*[]byte)
	defer w.pieces.Put(piece)
	at := s.at + from
	for len(src) > 0 {
		k := min(len(src), pieceBytes/size)
		b := (*piece)[:k*size]
		if err := Encode(b, src[:k], s.DType); err != nil {
			return w.fail(err)
		}
		if err := w.write(&s.file.out, b, at); err != nil {
			return w.fail(err)
		}
		src, at = src[k:], at+int64(len(b))
	}
	return w.landed(s.file, n)
}

// WriteBytes copies b as stored bytes of a tensor, from its byte off on: any
// dtype, unchanged. Ranges may come in any order, each once.
func (w *Writer) WriteBytes(name string, off int64, b []byte) error {
	s, ok := w.where[name]
	if !ok {
		return fmt.Errorf("output %s: %w: %q", w.target.asked, ErrNoTensor, name)
	}
	n := int64(len(b))
	if off < 0 || off > s.bytes || n > s.bytes-off {
		return fmt.Errorf("output %s: tensor %q has %d bytes; [%d, %d) is out of range", w.target.asked, name, s.bytes, off, off+n)
	}
	if err := w.reserve(s, off, n); err != nil {
		return err
	}
	if n > 0 {
		if err := w.write(&s.file.out, b, s.at+off); err != nil {
			return w.fail(err)
		}
	}
	return w.landed(s.file, n)
}

// reserve takes a range of a tensor for the caller to write, and sees that its
// file is there.
func (w *Writer) reserve(s *slot, off, n int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if !s.written.add(off, off+n) {
		return fmt.Errorf("output %s: tensor %q: bytes [%d, %d) are written twice", w.target.asked, s.Name, off, off+n)
	}
	if s.file.out.file == nil {
		if err := w.start(s.file); err != nil {
			w.failed = err
			return err
		}
	}
	return nil
}

// landed counts n bytes as written, and finishes the file with the last.
func (w *Writer) landed(f *outFile, n int64) error {
	if n == 0 {
		return nil
	}
	w.mu.Lock()
	f.pending -= n
	whole := f.pending == 0
	w.mu.Unlock()
	if whole {
		if err := w.finish(&f.out); err != nil {
			return w.fail(err)
		}
		if w.journal != nil {
			w.mu.Lock()
			err := w.journal.add(w.disk, f.name)
			w.mu.Unlock()
			if err != nil {
				return w.fail(err)
			}
		}
	}
	return nil
}

// fail keeps the first failure, so that Commit refuses.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	return err
}

// usable needs w.mu held.
func (w *Writer) usable() error {
	if w.ended != nil {
		return w.ended
	}
	if w.failed != nil {
		return fmt.Errorf("output %s: an earlier step failed: %w", w.target.asked, w.failed)
	}
	return nil
}
