package view_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

func TestPermute(t *testing.T) {
	src := write(t, filepath.Join(t.TempDir(), "a"),
		values("w", tensors.F32, []int{3, 4}, 0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23),
		values("b", tensors.BF16, []int{4}, 1, 2, 3, 4),
		values("c", tensors.F32, []int{2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7))
	asked := 0
	fail := errors.New("not yet")
	v, err := view.Permute(src, []view.Place{
		{Tensor: "w", Axis: 0, Block: 1, Order: 0},
		{Tensor: "w", Axis: 1, Block: 2, Order: 1, Group: 2},
		{Tensor: "b", Axis: 0, Block: 1, Order: 1},
		{Tensor: "c", Axis: 1, Block: 1, Order: 2},
	}, []int{3, 4, 2}, func() ([][]int, error) {
		if asked++; asked == 1 {
			return nil, fail
		}
		return [][]int{{2, 0, 1}, {3, 2, 0, 1}, {1, 0}}, nil
	})
	if err != nil || asked != 0 {
		t.Fatal(err, asked)
	}
	if err := v.ReadAt(make([]float32, 1), "w", 0); !errors.Is(err, fail) {
		t.Errorf("error %v", err)
	}
	for name, want := range map[string][]float32{
		"w": {22, 23, 20, 21, 2, 3, 0, 1, 12, 13, 10, 11},
		"b": {4, 3, 1, 2},
		"c": {2, 3, 0, 1, 6, 7, 4, 5},
	} {
		if got := numbers(t, v, name); !near(got, want, 0) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if asked != 2 {
		t.Errorf("the orders were asked for %d times", asked)
	}
}

func TestPermuteRefuses(t *testing.T) {
	src := write(t, filepath.Join(t.TempDir(), "a"), random("w", tensors.F32, 3, 4))
	for _, test := range []struct {
		place view.Place
		want  string
	}{
		{view.Place{Tensor: "none", Block: 1}, "none: there is no such tensor"},
		{view.Place{Tensor: "w", Axis: 2, Block: 1}, "shape [3 4] has no axis 2"},
		{view.Place{Tensor: "w", Axis: 0, Block: 2}, "axis 0 would have 3 blocks of 2 from 0 on"},
		{view.Place{Tensor: "w", Axis: 1, At: 2, Block: 1}, "axis 1 would have 3 blocks of 1 from 2 on"},
		{view.Place{Tensor: "w", Axis: 0, Block: 1, Order: 1}, "without sense"},
		{view.Place{Tensor: "w", Axis: 0}, "without sense"},
	} {
		_, err := view.Permute(src, []view.Place{test.place}, []int{3}, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), src.Path()) {
			t.Errorf("%+v: %v", test.place, err)
		}
	}
	for _, orders := range [][][]int{nil, {{0, 1}}, {{0, 1, 1}}, {{0, 1, 3}}, {{0, 1, -1}}, {{0, 1, 2, 3}}, {{0, 1, 2}, {0}}} {
		v, err := view.Permute(src, []view.Place{{Tensor: "w", Block: 1}}, []int{3}, func() ([][]int, error) { return orders, nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := v.ReadAt(make([]float32, 1), "w", 0); err == nil {
			t.Errorf("orders %v were taken", orders)
		}
	}
}
