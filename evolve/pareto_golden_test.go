package evolve

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// recorded is testdata/qd.json; see the README there. Its objectives are minimized.
func recorded(t *testing.T, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/qd.json")
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func negated(f [][]float64) [][]float64 {
	out := newRows(len(f), len(f[0]))
	for i, row := range f {
		for j, x := range row {
			out[i][j] = -x
		}
	}
	return out
}

type sorted struct {
	F        [][]float64
	Rank     []int
	Crowding struct {
		Idx []int
		CD  []json.RawMessage
	} `json:"crowding_front0"`
}

func TestNondominatedSorting(t *testing.T) {
	var g struct{ Nds2, Nds3 sorted }
	recorded(t, &g)
	for i, s := range []sorted{g.Nds2, g.Nds3} {
		points := negated(s.F)
		got := ranks(points)
		lowest := slices.Min(s.Rank)
		var front [][]float64
		var at []int
		for k := range got {
			if got[k] != s.Rank[k]-lowest {
				t.Errorf("case %d, point %d: front %d, want %d", i, k, got[k], s.Rank[k]-lowest)
			}
			if got[k] == 0 {
				front, at = append(front, points[k]), append(at, k)
			}
		}
		d := crowding(front)
		if !slices.Equal(at, s.Crowding.Idx) {
			t.Fatalf("case %d: front %v, want %v", i, at, s.Crowding.Idx)
		}
		for k := range d {
			want := math.Inf(1)
			_ = json.Unmarshal(s.Crowding.CD[k], &want) // "inf" is no number
			want *= float64(len(points[k]))             // pymoo's is the mean over the objectives
			if d[k] != want && !(math.Abs(d[k]-want) < 1e-9) {
				t.Errorf("case %d: crowding %d is %v, want %v", i, k, d[k], want)
			}
		}
		var list []Scored[int]
		for k, p := range points {
			list = append(list, Scored[int]{Candidate: Candidate[int]{ID: uint64(k + 1)}, Score: Score{Objectives: p}})
		}
		if got := len(Front(append(list, list[0]))); got != len(undominated(front)) {
			t.Errorf("case %d: Front has %d, want %d", i, got, len(undominated(front)))
		}
	}
}

func TestHypervolume(t *testing.T) {
	var g struct {
		HV []struct {
			F   [][]float64
			Ref []float64
			HV  float64
		}
		Directions map[string][][]float64 `json:"das_dennis"`
	}
	recorded(t, &g)
	for i, h := range g.HV {
		points, ref := negated(h.F), negated([][]float64{h.Ref})[0]
		if got := Hypervolume(points, ref); math.Abs(got-h.HV) > 1e-12 {
			t.Errorf("case %d: %v, want %v", i, got, h.HV)
		}
		slices.Reverse(points)
		twice := append(points, points[len(points)/2])
		if got := Hypervolume(append(twice, ref), ref); math.Abs(got-h.HV) > 1e-12 {
			t.Errorf("case %d: %v in another order and with a point twice, want %v", i, got, h.HV)
		}
	}
	for name, want := range map[string][][]float64{"m2_p5": dasDennis(2, 5), "m3_p4": dasDennis(3, 4)} {
		if got := g.Directions[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("directions %s: %v, want %v", name, want, got)
		}
	}
}
