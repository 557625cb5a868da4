package evolve

import (
	"fmt"
	"math"
	"testing"
)

// Archives take generations as ribs does, elitist and with a learning rate.
func TestGridArchive(t *testing.T) {
	type batch struct {
		Objective     []float64
		Measures      [][]float64
		Index, Status []int
		Value         []float64
		Cells         map[string][2]float64
		NumElites     int     `json:"num_elites"`
		Coverage      float64 `json:"coverage"`
		QDScore       float64 `json:"qd_score"`
		ObjMax        float64 `json:"obj_max"`
		ObjMean       float64 `json:"obj_mean"`
	}
	var b struct {
		Elitist []batch `json:"grid_archive_elitist"`
		Slow    []batch `json:"grid_archive_cma_mae_lr0.1_min-2"`
		Never   []batch `json:"grid_archive_cma_mae_lr0_min-2"`
	}
	recorded(t, &b)
	for _, c := range []struct {
		name         string
		rate, lowest float64
		batches      []batch
	}{{"elitist", 1, math.Inf(-1), b.Elitist}, {"rate 0.1", 0.1, -2, b.Slow}, {"rate 0", 0, -2, b.Never}} {
		t.Run(c.name, func(t *testing.T) {
			cells := GridCells{Sides: []int{4, 5}, Lo: []float64{-1, 0}, Hi: []float64{1, 2}}
			a := NewElites(cells, c.rate, c.lowest)
			id := uint64(0)
			for g, batch := range c.batches {
				var list []Scored[[]float64]
				for i, y := range batch.Objective {
					id++
					list = append(list, Scored[[]float64]{Candidate: Candidate[[]float64]{ID: id}, Score: Score{Value: y, Descriptors: batch.Measures[i]}})
					if got := cells.Of(batch.Measures[i]); got != batch.Index[i] {
						t.Fatalf("generation %d: cell %d of %v, want %d", g, got, batch.Measures[i], batch.Index[i])
					}
				}
				for i, change := range a.Add(list) {
					if change.Status != batch.Status[i] || math.Abs(change.Gain-batch.Value[i]) > 1e-9 {
						t.Errorf("generation %d, candidate %d: %+v, want %d, %v", g, i, change, batch.Status[i], batch.Value[i])
					}
				}
				for cell, want := range batch.Cells {
					var k int
					if _, err := fmt.Sscan(cell, &k); err != nil {
						t.Fatal(err)
					}
					if got := a.elites[k].Value; math.Abs(got-want[0]) > 1e-9 || math.Abs(a.threshold[k]-want[1]) > 1e-9 {
						t.Errorf("generation %d, cell %d: %v asking for %v, want %v", g, k, got, a.threshold[k], want)
					}
				}
				s := a.Stats()
				if s.Elites != batch.NumElites || math.Abs(s.Coverage-batch.Coverage) > 1e-9 || math.Abs(s.Best-batch.ObjMax) > 1e-9 || math.Abs(s.Mean-batch.ObjMean) > 1e-9 {
					t.Errorf("generation %d: %+v, want %d elites, coverage %v, best %v, mean %v, score %v", g, s, batch.NumElites, batch.Coverage, batch.ObjMax, batch.ObjMean, batch.QDScore)
				}
			}
		})
	}
}

func TestCVT(t *testing.T) {
	var g struct {
		CVT struct {
			Centroids, Points [][]float64
			Index             []int
		} `json:"cvt_nearest"`
	}
	recorded(t, &g)
	c := CVTCells{g.CVT.Centroids}
	for i, p := range g.CVT.Points {
		if got := c.Of(p); got != g.CVT.Index[i] {
			t.Errorf("%v is nearest to %d, want %d", p, got, g.CVT.Index[i])
		}
	}
	// Made centroids share the cube evenly.
	made, count := NewCVT(1, 3, 50), make([]int, 50)
	rng := Draws(9, 9)
	for range 20000 {
		count[made.Of(uniformPoint(rng, 3))]++
	}
	for k, n := range count {
		if n < 100 || n > 1000 {
			t.Errorf("cell %d has %d of 20000 points", k, n)
		}
	}
}
