package main

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// The functions are those of ioh 0.3.22, which agree with COCO's: two points and the
// optimum of each, in three numbers of dimensions and four instances.
func TestBBOB(t *testing.T) {
	text, err := os.ReadFile("testdata/bbob.json")
	if err != nil {
		t.Fatal(err)
	}
	var points []struct {
		F, N, Instance int
		X              []float64
		Y              float64
	}
	if err := json.Unmarshal(text, &points); err != nil {
		t.Fatal(err)
	}
	if len(points) < 24*12 {
		t.Fatalf("%d points", len(points))
	}
	for _, p := range points {
		got := newBBOB(p.F, p.N, p.Instance)(p.X)
		if math.Abs(got-p.Y) > 1e-7+1e-9*math.Abs(p.Y) {
			t.Errorf("f%d in %d dimensions, instance %d: %v at %v, want %v", p.F, p.N, p.Instance, got, p.X, p.Y)
		}
	}
}
