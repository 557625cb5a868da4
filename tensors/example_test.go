package tensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tensors"
)

// Write a model of one tensor, then read it back.
func Example() {
	tmp, err := os.MkdirTemp("", "tensors")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "model")

	w, err := tensors.Create(dir, []tensors.Info{
		{Name: "layer.weight", DType: tensors.BF16, Shape: []int{2, 3}},
	}, tensors.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close() // removes everything unless Commit succeeds
	if err := w.WriteAt([]float32{0, 1, 2, 3, 4, 0.1}, "layer.weight", 0); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		log.Fatal(err)
	}

	c, err := tensors.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, t := range c.Tensors() {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	row := make([]float32, 3)
	if err := c.ReadAt(row, "layer.weight", 3); err != nil {
		log.Fatal(err)
	}
	fmt.Println(row)
	// Output:
	// layer.weight BF16 [2 3]
	// [3 4 0.100097656]
}
