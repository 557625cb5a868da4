package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSuiteFlags(t *testing.T) {
	at := func(dim int) task { return task{dim: dim, seeds: 1, optimizer: "random"} }
	s, err := newSuite(at(20), "cec2022", "python3", nil, nil)
	if err != nil || len(s.numbers) != 12 || !slices.Equal(s.marks, []int{1000000}) {
		t.Errorf("by default functions %v, marks %v, %v", s.numbers, s.marks, err)
	}
	for want, f := range map[string]func() (suite, error){
		"there is cec2022":    func() (suite, error) { return newSuite(at(10), "bbob", "python3", nil, nil) },
		"a Python with":       func() (suite, error) { return newSuite(at(10), "cec2022", "", nil, nil) },
		"has 10 and 20":       func() (suite, error) { return newSuite(at(30), "cec2022", "python3", nil, nil) },
		"CEC 2022 has 1 to":   func() (suite, error) { return newSuite(at(10), "cec2022", "python3", []int{13}, nil) },
		"positive and ascend": func() (suite, error) { return newSuite(at(10), "cec2022", "python3", nil, []int{9, 3}) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Medians stand beside what is published of the same function.
func TestSuitePrint(t *testing.T) {
	s, err := newSuite(task{dim: 10, seeds: 3, optimizer: "metade"}, "cec2022", "python3", []int{1, 9}, []int{10, 20})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s.print(&out, [][][]float64{{{4, 0}, {2, 0}, {7, 1}}, {{5, 3}, {5, 3}, {5, 3}}})
	for _, want := range []string{"| F1 | 4 (2 to 7) | 0 (0 to 1) |  |", "| F9 | 5 (5 to 5) | 3 (3 to 3) | 229 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
