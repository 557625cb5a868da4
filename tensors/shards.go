package tensors

import "slices"

// maxOpen is how many files are kept open at a time, as far as no more are being
// written to at the same instant.
const maxOpen = 8

// maxSealing is how many files are made durable at a time. A writer that would begin
// one more waits, so that what is not on the disk stays bounded.
const maxSealing = 2

// use opens a file for a write; landed is its end. It needs w.mu held.
func (w *Writer) use(f *outFile) error {
	if i := slices.Index(w.opened, f); i >= 0 {
		w.opened = slices.Delete(w.opened, i, i+1)
	} else {
		if err := w.closeIdle(); err != nil {
			return err
		}
		open := w.start
		if f.out.made {
			open = func(f *outFile) error { return w.reopen(&f.out) }
		}
		if err := open(f); err != nil {
			return err
		}
	}
	w.opened = append(w.opened, f)
	f.users++
	return nil
}

// closeIdle makes place for one more open file, by closing the one that was not used
// for longest.
func (w *Writer) closeIdle() error {
	if len(w.opened) < maxOpen {
		return nil
	}
	i := slices.IndexFunc(w.opened, func(f *outFile) bool { return f.users == 0 })
	if i < 0 {
		return nil
	}
	idle := w.opened[i]
	w.opened = slices.Delete(w.opened, i, i+1)
	return w.step("close", idle.out.path, idle.out.close)
}

// start creates a file and writes its header.
func (w *Writer) start(f *outFile) error {
	if err := w.create(&f.out); err != nil {
		return err
	}
	if err := w.write(&f.out, f.header, 0); err != nil {
		return err
	}
	w.left.Add(-int64(len(f.header)))
	return nil
}

// sealSoon seals a file beside the writing of others; Commit and Close wait for it.
func (w *Writer) sealSoon(f *outFile) {
	w.mu.Lock()
	w.opened = slices.DeleteFunc(w.opened, func(o *outFile) bool { return o == f })
	w.mu.Unlock()
	w.sealers <- struct{}{}
	w.sealing.Go(func() {
		defer func() { <-w.sealers }()
		if err := w.seal(f); err != nil {
			_ = w.fail(err) // Commit returns it
		}
	})
}

// seal makes a file that is whole durable, and notes that it is.
func (w *Writer) seal(f *outFile) error {
	if err := w.finish(&f.out); err != nil {
		return err
	}
	if w.partial != nil {
		if err := w.partial.record(f); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.sealed = true
	return nil
}
