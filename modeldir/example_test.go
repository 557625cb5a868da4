package modeldir_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/modeldir"
	"github.com/mergevo/mergevo/tensors"
)

// Give an output the configuration of its donor, two layers longer and in another
// type.
func Example() {
	dir, err := os.MkdirTemp("", "modeldir")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	donor := `{
  "model_type": "llama",
  "num_hidden_layers": 2,
  "rms_norm_eps": 1e-05,
  "torch_dtype": "float32"
}
`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(donor), 0o600); err != nil {
		log.Fatal(err)
	}
	f, err := modeldir.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	config, _, err := f.Edit(modeldir.Edits{DType: tensors.BF16, Layers: []int{0, 1, 0, 1}, DonorLayers: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", config)
	// Output:
	// {
	//   "model_type": "llama",
	//   "num_hidden_layers": 4,
	//   "rms_norm_eps": 1e-05,
	//   "torch_dtype": "bfloat16"
	// }
}
