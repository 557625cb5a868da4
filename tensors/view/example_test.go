package view_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// A model with its one layer twice.
func ExampleRename() {
	tmp, err := os.MkdirTemp("", "view")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	w, err := tensors.Create(filepath.Join(tmp, "model"), []tensors.Info{{Name: "layers.0.weight", DType: tensors.BF16, Shape: []int{2}}}, tensors.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteAt([]float32{1, 2}, "layers.0.weight", 0); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		log.Fatal(err)
	}
	model, err := tensors.Open(filepath.Join(tmp, "model"))
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	deeper, err := view.Rename(model, "twice the layer", map[string]string{
		"layers.0.weight": "layers.0.weight",
		"layers.1.weight": "layers.0.weight",
	})
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, 2)
	for _, t := range deeper.Tensors() {
		if err := deeper.ReadAt(x, t.Name, 0); err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Name, t.DType, x)
	}
	// Output:
	// layers.0.weight BF16 [1 2]
	// layers.1.weight BF16 [1 2]
}
