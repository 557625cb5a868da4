package statistics

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// sum is a set of tensors to which steps add, a part of them after the other: all steps
// add to the first part, then all to the next. The part that is added to is on the device,
// those before it are in the host's memory.
type sum struct {
	infos    []tensors.Info // float32
	begins   []int          // of the parts among infos
	at       int            // the part that is added to
	values   []*gmlx.Tensor // its tensors
	finished [][]float32    // the tensors of the parts before
	done     int            // steps that were added to it
}

// newSum is a sum in parts that begin at some places, the first at 0.
func newSum(infos []tensors.Info, begins []int) *sum {
	s := &sum{infos: infos, begins: begins}
	s.begin()
	return s
}

// begin puts zeros for the part that is added to on the device.
func (s *sum) begin() {
	lo, hi := s.part()
	for _, t := range s.infos[lo:hi] {
		s.values = append(s.values, gmlx.FromFlatDataAndDimensions(make([]float32, t.Len()), t.Shape...))
	}
}

// part is the range of the part that is added to: empty behind the last.
func (s *sum) part() (lo, hi int) {
	if s.at == len(s.begins) {
		return len(s.infos), len(s.infos)
	}
	if s.at+1 == len(s.begins) {
		return s.begins[s.at], len(s.infos)
	}
	return s.begins[s.at], s.begins[s.at+1]
}

// next goes on to the next part.
func (s *sum) next() error {
	for _, t := range s.values {
		x, err := gmlx.CopyFlatData[float32](t)
		if err != nil {
			return err
		}
		_ = t.FinalizeAll()
		s.finished = append(s.finished, x)
	}
	s.values = nil
	debug.FreeOSMemory()
	s.at, s.done = s.at+1, 0
	s.begin()
	return nil
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
	stateParts    = "mergevo_parts" // where they begin
	statePart     = "mergevo_part"  // the one that is added to
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
	lo, hi := s.part()
	w, err := tensors.Create("", s.infos[:hi], tensors.Options{Single: next, Metadata: map[string]string{
		stateIdentity: identity, stateParts: fmt.Sprint(s.begins), statePart: strconv.Itoa(s.at), stateDone: strconv.Itoa(s.done)}})
	if err != nil {
		return err
	}
	defer w.Close()
	for i, t := range s.infos[:hi] {
		var written error
		keep := func(b []byte) { written = w.WriteBytes(t.Name, 0, b) }
		if i < lo {
			b := make([]byte, 4*len(s.finished[i]))
			if err = tensors.Encode(b, s.finished[i], tensors.F32); err == nil {
				keep(b)
			}
		} else {
			err = s.values[i-lo].ConstBytes(keep)
		}
		if err = errors.Join(err, written); err != nil {
			return err
		}
	}
	if err := w.Commit(); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// resume reads what keep wrote, with the parts that it was in; nothing there is no error.
func (s *sum) resume(path, identity string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	c, err := tensors.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOther, err)
	}
	defer c.Close()
	r := &sum{infos: s.infos}
	if err := r.place(c.Metadata(), identity); err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	lo, hi := r.part()
	for i, t := range r.infos[:hi] {
		x := make([]float32, t.Len())
		if err := c.ReadAt(x, t.Name, 0); err != nil {
			r.finalize()
			return err
		}
		if i < lo {
			r.finished = append(r.finished, x)
		} else {
			r.values = append(r.values, gmlx.FromFlatDataAndDimensions(x, t.Shape...))
		}
	}
	s.finalize()
	*s = *r
	return nil
}

// place is where the metadata of what was kept say that a sum is.
func (s *sum) place(meta map[string]string, identity string) error {
	for _, word := range strings.Fields(strings.Trim(meta[stateParts], "[]")) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return ErrOther
		}
		s.begins = append(s.begins, n)
	}
	var bad [2]error
	s.at, bad[0] = strconv.Atoi(meta[statePart])
	s.done, bad[1] = strconv.Atoi(meta[stateDone])
	begins := append(slices.Clone(s.begins), len(s.infos))
	sound := s.begins != nil && begins[0] == 0 && slices.IsSorted(begins) && s.at >= 0 && s.at < len(s.begins)
	if errors.Join(bad[:]...) != nil || !sound || meta[stateIdentity] != identity {
		return fmt.Errorf("%w: other examples, another model or other flags", ErrOther)
	}
	return nil
}

// read returns the values of a tensor, to keep.
func (s *sum) read(i int) ([]float32, error) {
	if i < len(s.finished) {
		return s.finished[i], nil
	}
	return gmlx.CopyFlatData[float32](s.values[i-len(s.finished)])
}
