package tensors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// AddFile adds a small file, such as config.json, that appears with the
// weights. The name is that of a file in the output folder, not a path. A
// single-file output takes none.
func (w *Writer) AddFile(name string, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if w.single {
		return fmt.Errorf("output %s is a single file, with no place for %q", w.target.asked, name)
	}
	if name == "." || !filepath.IsLocal(name) || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("output %s: %q is not a plain file name", w.target.asked, name)
	}
	taken := w.extra[name] || name == indexName
	for _, f := range w.files {
		taken = taken || f.name == name
	}
	if taken {
		return fmt.Errorf("output %s: %q is already in it", w.target.asked, name)
	}
	if err := w.small(name, data); err != nil {
		w.failed = err
		return err
	}
	w.extra[name] = true
	return nil
}

func (w *Writer) small(name string, data []byte) error {
	o := output{path: filepath.Join(w.target.work, name)}
	err := w.create(&o)
	if err == nil {
		err = w.write(&o, data, 0)
	}
	if err == nil {
		err = w.finish(&o)
	}
	return errors.Join(err, o.close())
}

// Commit makes the checkpoint durable and lets it appear under its name. It
// refuses while a tensor is not completely written, and may be called again
// when it is; after any other error only Close is left.
func (w *Writer) Commit() error {
	w.sealing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.incomplete(); err != nil {
		return err
	}
	if err := w.commit(); err != nil {
		w.failed = err
		return err
	}
	w.ended = fmt.Errorf("output %s: already committed", w.target.asked)
	if w.partial != nil {
		_ = w.partial.release(false) // the output is there; what may be left is no finished work
	}
	return nil
}

// incomplete names the tensors that lack bytes.
func (w *Writer) incomplete() error {
	const most = 5
	var lack []string
	count := 0
	for _, f := range w.files {
		for _, s := range f.slots {
			if have := s.written.total(); have < s.bytes {
				if count++; count <= most {
					lack = append(lack, fmt.Sprintf("%q (%d of %d bytes)", s.Name, have, s.bytes))
				}
			}
		}
	}
	if count == 0 {
		return nil
	}
	if count > most {
		lack = append(lack, "…")
	}
	return fmt.Errorf("output %s: %d tensors are not completely written: %s", w.target.asked, count, strings.Join(lack, ", "))
}

func (w *Writer) commit() error {
	for _, f := range w.files {
		if f.out.done {
			continue
		}
		// Only a file without a byte of data gets here.
		if f.out.file == nil {
			if err := w.start(f); err != nil {
				return err
			}
		}
		if err := w.finish(&f.out); err != nil {
			return err
		}
	}
	t := w.target
	if !w.single {
		if len(w.files) > 1 {
			index, err := indexJSON(w.files)
			if err != nil {
				return err
			}
			if err := w.small(indexName, index); err != nil {
				return err
			}
		}
		if err := w.syncDir(t.work); err != nil {
			return err
		}
	}
	// Whoever made something there meanwhile keeps it.
	empty, err := t.free()
	if err != nil {
		return err
	}
	renamed := false
	err = w.step("rename", t.final, func() error {
		err := replace(t.work, t.final)
		renamed = err == nil
		return err
	})
	for _, name := range append([]string{t.final}, t.made...) {
		if err == nil {
			err = w.syncDir(filepath.Dir(name))
		}
	}
	if err != nil && renamed {
		// Not known to last: take it back, so that an error means no output.
		err = errors.Join(err, replace(t.final, t.work))
		if empty {
			err = errors.Join(err, os.Mkdir(t.final, 0o755))
		}
	}
	return err
}

// Close ends the writing. Without a Commit that succeeded it removes all that
// was made, so that it can be deferred right after Create; but of an output that can
// be continued, shards that are finished stay.
func (w *Writer) Close() error {
	w.sealing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return nil
	}
	w.ended = fmt.Errorf("output %s: already closed", w.target.asked)
	keep := false
	for _, f := range w.files {
		f.out.close() // its bytes are about to go
		keep = keep || f.sealed
	}
	var err error
	switch {
	case w.partial != nil && keep:
		err = errors.Join(w.partial.clear(w.files), w.partial.release(true))
	case w.partial != nil:
		err = w.partial.release(false)
	case w.single && w.files[0].out.made:
		err = os.Remove(w.target.work)
	case w.target.begun:
		err = os.RemoveAll(w.target.work)
	}
	w.target.unmake()
	if err != nil {
		return fmt.Errorf("output %s: cleaning up: %w", w.target.asked, err)
	}
	return nil
}
