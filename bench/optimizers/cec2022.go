package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

//go:embed cec2022.py
var cec2022Script string

// CEC 2022's competition has twelve functions (Kumar, Price, Mohamed, Hadi and Suganthan
// 2021, Problem Definitions and Evaluation Criteria), in [-100, 100] and in 10 and 20
// dimensions. An error below cec2022Zero counts as none.
const (
	cec2022Functions = 12
	cec2022Bound     = 100.
	cec2022Zero      = 1e-8
)

const publishedDim = 10

// published are errors that others have drawn, by function, n = publishedDim. They are read off
// assets/D10.svg of github.com/EMI-Group/metade, whose curves are vectors: each a run of 60
// seconds on a GPU, of five of the functions, with nothing shown below 7.7e-7. MetaDE's
// curves have a point a generation of the evolver, which their program's example for these
// functions gives 100 executors of 100 members and 1,000 steps: 10⁷ evaluations. The tables
// of the paper (arXiv:2502.10470) were not to be had.
var published = []struct {
	name   string
	errors map[int]float64
}{
	{"DE", map[int]float64{2: 3.99, 4: 5.97, 6: 0.100, 9: 229.28, 10: 100.19}},
	{"SHADE", map[int]float64{2: 3.99, 4: 2.98, 6: 0.283, 9: 229.28, 10: 100.21}},
	{"LSHADE-RSP", map[int]float64{2: 3.99, 4: 1.99, 6: 0.0166, 9: 229.28, 10: 100.01}},
	{"MetaDE, 10⁷", map[int]float64{2: 6.4e-5, 4: 2.99, 6: 0.803, 9: 133, 10: 9.41}},
	{"MetaDE, 2·10⁷", map[int]float64{2: 7.7e-7, 4: 2.99, 6: 0.271, 9: 116, 10: 1.12}},
	{"MetaDE, 60 s", map[int]float64{2: 7.7e-7, 4: 7.7e-7, 6: 4.1e-4, 9: 0.067, 10: 7.7e-7}},
}

// piped is a function that a Python with minionpy computes, whose CEC 2022 are the
// competition's own C functions.
type piped struct {
	n     int
	least float64 // the function's best value
	c     *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	buf   []byte
}

// startCEC2022 starts function number 1 to cec2022Functions in n dimensions, until ctx ends
// or close is called.
func startCEC2022(ctx context.Context, python string, number, n int) (*piped, error) {
	o := &piped{n: n, c: exec.CommandContext(ctx, python, "-c", cec2022Script, strconv.Itoa(number), strconv.Itoa(n))}
	o.c.Stderr = os.Stderr
	var err error
	if o.in, err = o.c.StdinPipe(); err != nil {
		return nil, err
	}
	pipe, err := o.c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := o.c.Start(); err != nil {
		return nil, err
	}
	o.out = bufio.NewReaderSize(pipe, 1<<16)
	if err := binary.Read(o.out, binary.LittleEndian, &o.least); err != nil {
		return nil, fmt.Errorf("CEC 2022's function %d in %d dimensions: %w\nhint: %s -m pip install minionpy", number, n, err, python)
	}
	return o, nil
}

// errors sets y to how far the points are above the best value.
func (o *piped) errors(y []float64, x [][]float64) error {
	o.buf = binary.LittleEndian.AppendUint32(o.buf[:0], uint32(len(x)))
	var err error
	for _, p := range x {
		if o.buf, err = binary.Append(o.buf, binary.LittleEndian, p); err != nil {
			return err
		}
	}
	if _, err := o.in.Write(o.buf); err != nil {
		return err
	}
	if err := binary.Read(o.out, binary.LittleEndian, y); err != nil {
		return err
	}
	for i := range y {
		if y[i] -= o.least; y[i] < cec2022Zero {
			y[i] = 0
		}
	}
	return nil
}

func (o *piped) close() error {
	if err := o.in.Close(); err != nil {
		return err
	}
	return o.c.Wait()
}
