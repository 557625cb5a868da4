package statistics

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// sum is a set of tensors on the device to which steps add, and how many have.
type sum struct {
	infos  []tensors.Info // float32
	values []*gmlx.Tensor
	done   int
}

func newSum(infos []tensors.Info) *sum {
	s := &sum{infos: infos}
	for _, t := range infos {
		s.values = append(s.values, gmlx.FromFlatDataAndDimensions(make([]float32, t.Len()), t.Shape...))
	}
	return s
}

func (s *sum) finalize() { finalize(s.values) }

// add calls a program with its own arguments, the network's weights and the sums, which
// it returns with its step added.
func (s *sum) add(n *Network, e *graph.Exec, own []*gmlx.Tensor) error {
	out, err := called(e, own, n.weights, s.values)
	if err != nil {
		return err
	}
	s.finalize()
	s.values = out
	s.done++
	return nil
}

// called calls a program with some lists of arguments.
func called(e *graph.Exec, lists ...[]*gmlx.Tensor) ([]*gmlx.Tensor, error) {
	var args []any
	for _, list := range lists {
		for _, t := range list {
			args = append(args, t)
		}
	}
	out, err := e.Call(args...)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n") // without the backend's stack
		return nil, errors.New(line)
	}
	return out, nil
}

// Keys of what is kept of a measurement under way.
const (
	stateIdentity = "mergevo_identity"
	stateDone     = "mergevo_done"
)

// ErrOther is returned where what was kept is of another measurement.
var ErrOther = errors.New("is what is left of another measurement")

// keep writes the sums to a file, which replaces the one of its name.
func (s *sum) keep(path, identity string) error {
	next := path + ".next"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	w, err := tensors.Create("", s.infos, tensors.Options{Single: next, Metadata: map[string]string{stateIdentity: identity, stateDone: strconv.Itoa(s.done)}})
	if err != nil {
		return err
	}
	defer w.Close()
	for i, t := range s.infos {
		var written error
		err := s.values[i].ConstBytes(func(b []byte) { written = w.WriteBytes(t.Name, 0, b) })
		if err = errors.Join(err, written); err != nil {
			return err
		}
	}
	if err := w.Commit(); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// resume reads what keep wrote; nothing there is no error.
func (s *sum) resume(path, identity string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	c, err := tensors.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOther, err)
	}
	defer c.Close()
	meta := c.Metadata()
	done, err := strconv.Atoi(meta[stateDone])
	if err != nil || meta[stateIdentity] != identity {
		return fmt.Errorf("%s %w: other examples, another model or other flags", path, ErrOther)
	}
	for i, t := range s.infos {
		x := make([]float32, t.Len())
		if err := c.ReadAt(x, t.Name, 0); err != nil {
			return err
		}
		_ = s.values[i].FinalizeAll()
		s.values[i] = gmlx.FromFlatDataAndDimensions(x, t.Shape...)
	}
	s.done = done
	return nil
}

// read returns the values of a tensor.
func (s *sum) read(i int) ([]float32, error) { return gmlx.CopyFlatData[float32](s.values[i]) }
