package recipes_test

import (
	"fmt"
	"log"

	"github.com/mergevo/mergevo/recipes"
	"github.com/mergevo/mergevo/tensors"
)

// A recipe with holes becomes a box for a search; the best point of the box
// becomes a recipe without holes.
func Example() {
	r, err := recipes.Parse("ties.yml", []byte(`
merge_method: ties
base_model: ./base
models:
  - model: ./math
    parameters: {weight: {search: [0, 1]}}
  - model: ./code
    parameters: {weight: 0.5}
`))
	if err != nil {
		log.Fatal(err)
	}
	family, err := r.Bind([]tensors.Info{{Name: "layers.0.weight", DType: tensors.F32, Shape: []int{4, 4}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, gene := range family.Box() {
		fmt.Printf("%s in [%g, %g], from %g\n", gene.Name, gene.Lo, gene.Hi, gene.Start)
	}
	best, err := family.Fill([]float64{0.7})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", best.Marshal())
	// Output:
	// weight[math] in [0, 1], from 0.5
	// mergevo: 1
	// merge_method: ties
	// base_model: ./base
	// models:
	//   - model: ./math
	//     parameters:
	//       weight: 0.7
	//   - model: ./code
	//     parameters:
	//       weight: 0.5
}

// Every problem of a file is reported, each with its line.
func ExampleError() {
	_, err := recipes.Parse("typo.yml", []byte("merge_method: linear\nmodels:\n- model: ./a\n  parameters: {wieght: 1}\n"))
	fmt.Println(err)
	// Output:
	// typo.yml:4:16: linear has no parameter "wieght"
	//     parameters: {wieght: 1}
	//                  ^
	// hint: did you mean "weight"?
}
