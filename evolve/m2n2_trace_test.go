package evolve

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
)

// An independent transcription of the authors' program (bench/m2n2/trace.py) chooses
// the same parents and slots for a thousand steps, given its random numbers and the
// scores of its children.
func TestM2N2FollowsTheTrace(t *testing.T) {
	file, err := os.Open("../testdata/digits/trace.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is read only
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		Alpha             float64
		Archive, Examples int
		Seeds             []string
		Steps             []struct {
			U, V       float64
			A, B, Slot int
			Right      string
		}
	}
	if err := json.NewDecoder(z).Decode(&trace); err != nil {
		t.Fatal(err)
	}
	items := func(packed string) []float32 {
		bits, err := base64.StdEncoding.DecodeString(packed)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float32, trace.Examples)
		for j := range out {
			out[j] = float32(bits[j/8] >> (j % 8) & 1)
		}
		return out
	}
	o := M2N2Reference()
	o.Archive, o.Alpha = trace.Archive, trace.Alpha
	m, err := NewM2N2(blank{seeds: len(trace.Seeds)}, o)
	if err != nil {
		t.Fatal(err)
	}
	id := uint64(0)
	insert := func(packed string) int {
		id++
		return m.insert(Scored[int]{Candidate: Candidate[int]{ID: id}, Score: Score{Items: items(packed)}})
	}
	for _, packed := range trace.Seeds {
		insert(packed)
	}
	if len(trace.Steps) != 1000 {
		t.Fatalf("%d steps", len(trace.Steps))
	}
	for i, want := range trace.Steps {
		now := m.market(m.Members())
		a, b := couple(now, now.fitness(), true, want.U, want.V)
		if a != want.A || b != want.B {
			t.Fatalf("step %d: parents %d and %d, want %d and %d", i, a, b, want.A, want.B)
		}
		if slot := insert(want.Right); slot != want.Slot {
			t.Fatalf("step %d: slot %d, want %d", i, slot, want.Slot)
		}
	}
}

// blank breeds nothing.
type blank struct {
	Breeder[int]
	seeds int
}

func (b blank) Seeds() []int { return make([]int, b.seeds) }
