package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
)

// writeAligned writes the models in their new orders: the one there is into out, several
// into folders of it, which appears when all are complete.
func (o *opened) writeAligned(ctx context.Context, v *voice, out string, shard int64, e *alignEvent) error {
	if len(o.models) == 2 {
		e.Models[0].Out = out
		return o.writeOne(ctx, v, 1, out, shard)
	}
	parent := filepath.Dir(filepath.Clean(out))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return plainPath(err)
	}
	dir, err := os.MkdirTemp(parent, "."+filepath.Base(out)+"-")
	if err != nil {
		return plainPath(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return plainPath(err)
	}
	taken := map[string]bool{}
	for i := 1; i < len(o.models); i++ {
		name := folderName(o.models[i].ref, taken)
		e.Models[i-1].Out = filepath.Join(out, name)
		if err := o.writeOne(ctx, v, i, filepath.Join(dir, name), shard); err != nil {
			return err
		}
	}
	if err := os.Remove(out); err != nil && !os.IsNotExist(err) { // empty, or it would not be free
		return plainPath(err)
	}
	return plainPath(os.Rename(dir, out))
}

// folderName is what a model's folder is called among others: the last part of its
// reference, with a number where that is taken.
func folderName(ref string, taken map[string]bool) string {
	name := filepath.Base(ref)
	if filepath.Ext(name) == ".safetensors" {
		name = name[:len(name)-len(".safetensors")]
	}
	for n, first := 2, name; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	taken[name] = true
	return name
}

// writeOne streams a model in its new order, in the types it is stored in, with its own
// configuration and tokenizer.
func (o *opened) writeOne(ctx context.Context, v *voice, i int, out string, shard int64) error {
	m, first := o.models[i], o.aligned.names[o.aligned.fixed]
	infos := m.source.Tensors()
	w, err := tensors.Create(out, infos, tensors.Options{ShardSize: shard, Metadata: map[string]string{"mergevo_aligned_to": first}})
	if err != nil {
		return err
	}
	defer w.Close()
	var files []modeldir.File
	for _, name := range append([]string{"config.json"}, m.folder.Files()...) {
		data, err := os.ReadFile(filepath.Join(m.folder.Dir(), name))
		if err != nil {
			return plainPath(err)
		}
		files = put(files, modeldir.File{Name: name, Data: data})
	}
	card := fmt.Sprintf("# %s\n\n%s with its units in the order in which it lies nearest to %s: it computes the same.\nWritten by `mergevo align` (%s).\n", filepath.Base(out), m.ref, first, fullVersion())
	for _, f := range put(files, modeldir.File{Name: "README.md", Data: []byte(card)}) {
		if err := w.AddFile(f.Name, f.Data); err != nil {
			return err
		}
	}
	progress := newBar(v.err, bytesOf(infos), 0, size, v.json)
	defer progress.finish()
	var done int64
	for _, t := range infos {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyTensor(w, m.source, t); err != nil {
			return err
		}
		done += t.Bytes()
		progress.set(done, t.Name)
	}
	return w.Commit()
}

// copyTensor writes the stored bytes of a tensor, a piece at a time.
func copyTensor(w *tensors.Writer, src tensors.Source, t tensors.Info) error {
	const piece = 4 << 20
	n := t.Len()
	if t.DType.Size() == 0 { // no whole bytes: in one piece
		return src.Stored(t.Name, 0, n, func(b []byte) error { return w.WriteBytes(t.Name, 0, b) })
	}
	step := piece / t.DType.Size()
	for off := 0; off < n; off += step {
		err := src.Stored(t.Name, off, min(step, n-off), func(b []byte) error {
			return w.WriteBytes(t.Name, int64(off)*int64(t.DType.Size()), b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
