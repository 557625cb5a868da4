package tensors

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Writer writes a checkpoint that appears at Commit. Its methods may be called
// from several goroutines at once, but Commit and Close only when the others
// have returned.
type Writer struct {
	disk
	target  *target
	partial *partial // nil where nothing can be continued
	single  bool
	files   []*outFile
	where   map[string]*slot
	kept    int64        // bytes of tensors found written
	left    atomic.Int64 // bytes of files not yet written
	pieces  sync.Pool    // *[]byte for WriteAt

	sealing sync.WaitGroup
	sealers chan struct{} // holds a token for each file being sealed

	mu     sync.Mutex
	opened []*outFile // the last used last
	extra  map[string]bool
	failed error // the first failed step; nothing after it is worth keeping
	ended  error // what methods return after Commit or Close
}

// pieceBytes is what WriteAt encodes and writes at a time.
const pieceBytes = 1 << 20

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

// reserve takes a range of a tensor for the caller to write, and opens its file.
func (w *Writer) reserve(s *slot, off, n int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if s.file.kept {
		return fmt.Errorf("output %s: tensor %q is in a shard that was kept; skip it, as Done says", w.target.asked, s.Name)
	}
	if !s.written.add(off, off+n) {
		return fmt.Errorf("output %s: tensor %q: bytes [%d, %d) are written twice", w.target.asked, s.Name, off, off+n)
	}
	if err := w.use(s.file); err != nil {
		w.failed = err
		return err
	}
	return nil
}

// landed counts n bytes as written, and seals the file with the last.
func (w *Writer) landed(f *outFile, n int64) error {
	if n == 0 {
		return nil
	}
	w.left.Add(-n)
	w.mu.Lock()
	f.pending -= n
	f.users--
	whole := f.pending == 0
	w.mu.Unlock()
	if whole {
		w.sealSoon(f)
	}
	return nil
}

// Done reports whether a tensor was found written by an earlier writing: it is not to
// be written again. It is false for a name that is not in the layout.
func (w *Writer) Done(tensor string) bool {
	s, ok := w.where[tensor]
	return ok && s.file.kept
}

// Kept returns the bytes of tensors that Create found written.
func (w *Writer) Kept() int64 { return w.kept }

// Finished returns how many shards would stay in DIR.partial if the writing ended now,
// those that Create found among them, and the bytes of their tensors: 0 where nothing
// can be continued. Once Close has returned it says what stayed.
func (w *Writer) Finished() (shards int, bytes int64) {
	if w.partial == nil {
		return 0, 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		if f.sealed {
			shards++
			bytes += f.data
		}
	}
	return shards, bytes
}

// shortage says what a full disk lacks, and how to go on. Bytes of unfinished shards
// count as written and as not free, which comes to the same.
func (w *Writer) shortage() string {
	how := "make room or choose another disk"
	if w.partial != nil {
		how = "make room and repeat the command, which continues after the shards that are finished"
	}
	dir := filepath.Dir(w.target.final)
	free, ok := freeBytes(dir)
	if !ok {
		return how
	}
	left := w.left.Load()
	return fmt.Sprintf("%d bytes (%.1f GB) are still to be written and %s has %d (%.1f GB) free; %s", left, float64(left)/1e9, dir, free, float64(free)/1e9, how)
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
