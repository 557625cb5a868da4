package tensors

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// Options says how Create writes. The zero value writes a folder with one
// model.safetensors.
type Options struct {
	// Single is the path of the one file to write instead of a folder.
	Single string
	// Name is the file of a folder that holds the tensors where one is enough; "" is
	// model.safetensors.
	Name string
	// ShardSize is the most bytes of tensors a file may hold; 0 is no limit.
	// A larger tensor gets a shard of its own. More than one shard come with
	// an index.
	ShardSize int64
	// Metadata goes into every header. "format": "pt" is added where it has no
	// format, for transformers refuses to load files without.
	Metadata map[string]string
	// Identity, if not empty, lets an output folder that was not finished be
	// continued. It says what is being written: a digest of the recipe, of the
	// models and of the program's version. When the writing fails, or the process
	// dies, shards that are finished then stay in DIR.partial, and Create with the
	// same identity and layout keeps them. Where the file system has no locks, and
	// with Single, nothing is kept, as without.
	Identity string
	// Restart discards what an earlier writing left in DIR.partial, whatever it is.
	Restart bool
	// Fault, for tests, is called before and after each create, open, lock, write,
	// close, fsync and rename, with op such as "before write", from any goroutine
	// that writes and from those that Writer starts, several at once. The error it
	// returns is the step's.
	Fault func(op, path string) error
}

// Create begins a checkpoint of the tensors in layout under dir, or in the one
// file o.Single. Nothing appears under that name before [Writer.Commit].
//
// It refuses a layout with a tensor twice or of no size, a name that is taken
// ([ErrExists]; an empty folder is free), an output that another process is
// writing ([ErrBusy]) or has left unfinished for another merge ([ErrPartial]; both
// with Identity only), and one for which the disk has no room ([ErrNoSpace]).
// Missing parent folders are made.
func Create(dir string, layout []Info, o Options) (_ *Writer, err error) {
	asked, file := dir, cmp.Or(o.Name, singleName)
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
		target:  t,
		single:  o.Single != "",
		files:   files,
		where:   map[string]*slot{},
		extra:   map[string]bool{},
		sealers: make(chan struct{}, maxSealing),
	}
	w.disk = disk{o.Fault, w.shortage}
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
	for _, f := range files {
		if w.left.Add(f.size()) < 0 {
			return nil, fmt.Errorf("output %s: %w", asked, errTooLarge)
		}
	}
	if o.Identity != "" && !w.single {
		if err := w.resume(o); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		f.out.path = filepath.Join(t.work, f.name)
		if w.single {
			f.out.path = t.work
		}
	}
	if err := t.room(w.left.Load(), w.kept); err != nil {
		return nil, err
	}
	// Now, so that a folder that cannot be written to is an error here.
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// resume claims DIR.partial and keeps what an earlier writing finished in it.
func (w *Writer) resume(o Options) error {
	t := w.target
	p, err := claim(w.disk, t.asked, t.final+".partial")
	if lockless(err) {
		return nil
	}
	if err != nil {
		return err
	}
	b := beginning{Format: journalFormat, Identity: o.Identity, Layout: layoutDigest(w.files), Began: time.Now().UTC().Truncate(time.Second)}
	if !o.Restart {
		if b.Began, err = p.judge(w.files, b); err != nil {
			return errors.Join(err, p.release(true))
		}
	}
	w.partial = p
	t.work = p.path(workName)
	for _, f := range w.files {
		if !f.kept {
			continue
		}
		f.out.done, f.out.made, f.sealed, f.pending = true, true, true, 0
		for _, s := range f.slots {
			if s.bytes > 0 {
				s.written.add(0, s.bytes)
			}
		}
		w.kept += f.data
		w.left.Add(-f.size())
	}
	return p.begin(w.files, b, t.made)
}

// begin makes the temporary folder or file.
func (w *Writer) begin() error {
	switch {
	case w.single:
		return w.start(w.files[0])
	case w.partial != nil:
		return nil
	}
	return w.step("create", w.target.work, func() error {
		err := os.Mkdir(w.target.work, 0o755)
		w.target.begun = err == nil
		return err
	})
}
