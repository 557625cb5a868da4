package recipes_test

import (
	"slices"
	"testing"

	"github.com/mergevo/mergevo/recipes"
)

// A model's new name may be what another one was called.
func TestRelocateToTakenName(t *testing.T) {
	r, err := recipes.Parse("r.yaml", []byte("merge_method: linear\nmodels: [{model: m/a}, {model: ../m/a}]\nparameters: {weight: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Relocate(func(ref string) string { return "../" + ref }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"../m/a", "../../m/a"}; !slices.Equal(r.Models(), want) {
		t.Errorf("models %v, want %v", r.Models(), want)
	}
}

// The model that others are aligned to moves with the models.
func TestRelocateAligned(t *testing.T) {
	r, err := recipes.Parse("r.yaml", []byte("merge_method: linear\nmodels: [{model: ./a}, {model: ./b}]\nparameters: {weight: 1}\nalign: {to: ./b, seed: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Relocate(func(ref string) string { return "../" + ref[2:] }); err != nil {
		t.Fatal(err)
	}
	if r.AlignedTo() != "../b" || r.Align.Seed != 3 {
		t.Errorf("aligned to %s, seed %d", r.AlignedTo(), r.Align.Seed)
	}
}
