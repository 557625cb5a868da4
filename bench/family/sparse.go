package family

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tensors"
)

// Sparse makes the models of a family as folders under dir, all zeros, that take next
// to no room: headers, and holes for what follows them. Models that are there and
// hold this family stay; a folder that holds anything else is an error.
func Sparse(dir string, s Shape, shard int64) error {
	for _, name := range Models {
		out := filepath.Join(dir, name)
		there, err := same(out, stamp("zeros", s, shard))
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := s.sparse(out, shard); err != nil {
			return err
		}
	}
	return nil
}

func (s Shape) sparse(dir string, shard int64) error {
	// Beside its final name first, so that a folder that is there is whole.
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	files := split(s.Tensors(), shard)
	where, total := map[string]string{}, int64(0)
	for i, list := range files {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
		if err := sparseFile(filepath.Join(part, name), list, stamp("zeros", s, shard)); err != nil {
			return err
		}
		for _, t := range list {
			where[t.Name] = name
			total += t.Bytes()
		}
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": where})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, "model.safetensors.index.json"), index, 0o644); err != nil {
		return err
	}
	config, err := s.config()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, "config.json"), config, 0o644); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// split shares tensors out to files of at most shard bytes; 0 is one file.
func split(list []tensors.Info, shard int64) (files [][]tensors.Info) {
	var size int64
	for _, t := range list {
		if files == nil || shard > 0 && size > 0 && size+t.Bytes() > shard {
			files, size = append(files, nil), 0
		}
		files[len(files)-1] = append(files[len(files)-1], t)
		size += t.Bytes()
	}
	return files
}

// sparseFile writes a header, and a hole for the tensors.
func sparseFile(path string, list []tensors.Info, stamp string) error {
	header, end := map[string]any{"__metadata__": map[string]string{"format": "pt", "family": stamp}}, int64(0)
	for _, t := range list {
		begin := end
		end += t.Bytes()
		header[t.Name] = map[string]any{"dtype": t.DType.String(), "shape": t.Shape, "data_offsets": []int64{begin, end}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	head := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, head, 0o644); err != nil {
		return err
	}
	return os.Truncate(path, int64(len(head))+end)
}
