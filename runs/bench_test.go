package runs_test

import (
	"math"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

// A generation of 16 candidates with 2,800 examples each.
func benchmarkAppend(b *testing.B, item func(draw uint64) float32) {
	r := create(b)
	state := make([]byte, 20_000)
	genome := make([]float64, 50)
	g := runs.Generation{Told: true, State: state}
	id, draw := uint64(0), uint64(1)
	for b.Loop() {
		b.StopTimer()
		g.Index++
		g.Candidates = g.Candidates[:0]
		for range 16 {
			id++
			var c runs.Record
			c.ID, c.Genome, c.Value = id, genome, float64(id)
			c.Tasks = map[string]float64{"a": 1, "b": 2}
			c.Outputs = [16]byte{1, byte(id), byte(id >> 8), byte(id >> 16)}
			c.Items = make([]float32, 2800)
			for i := range c.Items {
				draw = draw*6364136223846793005 + 1442695040888963407
				c.Items[i] = item(draw >> 32)
			}
			g.Candidates = append(g.Candidates, c)
		}
		b.StartTimer()
		if err := r.Append(g); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBits(b *testing.B) {
	benchmarkAppend(b, func(draw uint64) float32 { return float32(draw & 1) })
}

func BenchmarkAppendSingles(b *testing.B) {
	benchmarkAppend(b, func(draw uint64) float32 { return -float32(math.Log1p(float64(draw))) })
}

func BenchmarkRecords(b *testing.B) {
	r := create(b)
	for i := 1; i <= 250; i++ {
		appendOK(b, r, generation(i))
	}
	for b.Loop() {
		if n := len(stored(b, r)); n != 1000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkBest(b *testing.B) {
	r := create(b)
	for i := 1; i <= 250; i++ {
		appendOK(b, r, generation(i))
	}
	for b.Loop() {
		if _, err := r.Best(10); err != nil {
			b.Fatal(err)
		}
	}
}
