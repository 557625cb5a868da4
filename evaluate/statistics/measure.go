package statistics

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/tensors"
)

// Options say how a measurement goes on.
type Options struct {
	// State is the file in which what was measured so far is kept, "" for nowhere;
	// Identity says of what, to its bits.
	State, Identity string
	// Every is the least time between two writings of State. It is written when the
	// context ends, too.
	Every time.Duration
	// Room is the memory, in bytes, that the measurement may take, about; 0 for what it
	// takes. Where it takes more, tensors are measured in parts, which each go through all
	// examples.
	Room int64
	// Progress, if not nil, is told of the steps that are done, of all.
	Progress func(done, all int)
}

// step is one device call: the program that it calls, and its arguments, which are made
// when its turn comes.
type step struct {
	mode mode
	args func() ([]*gmlx.Tensor, error)
}

// mode names a program.
type mode int

// programs are those of the steps that add to the tensors [lo, hi) of a sum, by mode.
type programs func(lo, hi int) map[mode]func(args []*graph.Node) []*graph.Node

// measure adds all steps to each part of the sums, from where an earlier measurement was
// left.
func (n *Network) measure(ctx context.Context, s *sum, steps []step, p programs, o Options) error {
	if o.State != "" {
		if err := s.resume(o.State, o.Identity); err != nil {
			return err
		}
	}
	kept := time.Now()
	for s.at < len(s.begins) {
		if err := n.measurePart(ctx, s, steps, p, &o, &kept); err != nil {
			return err
		}
		if err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// measurePart adds all steps to the part that a sum is at. kept is when it was written last.
func (n *Network) measurePart(ctx context.Context, s *sum, steps []step, p programs, o *Options, kept *time.Time) error {
	build, execs := p(s.part()), map[mode]*graph.Exec{}
	defer func() {
		for _, e := range execs {
			e.Finalize()
		}
	}()
	for s.done < len(steps) {
		if err := ctx.Err(); err != nil {
			if o.State != "" && s.at+s.done > 0 {
				err = errors.Join(err, s.keep(o.State, o.Identity))
			}
			return err
		}
		st := steps[s.done]
		e := execs[st.mode]
		if e == nil {
			var err error
			if e, err = graph.NewExec(n.backend, build[st.mode]); err != nil {
				return fmt.Errorf("preparing the graph: %w", err)
			}
			execs[st.mode] = e.SetMaxCache(-1)
		}
		own, err := st.args()
		if err == nil {
			err = s.add(n, e, own)
		}
		finalize(own)
		if err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(s.at*len(steps)+s.done, len(s.begins)*len(steps))
		}
		if o.State != "" && time.Since(*kept) >= o.Every {
			began := time.Now()
			if err := s.keep(o.State, o.Identity); err != nil {
				return err
			}
			*kept = time.Now()
			o.Every = max(o.Every, 20*kept.Sub(began)) // large models: most of the time is for measuring
		}
	}
	return nil
}

// write writes a file of statistics, which appears when it is complete, and removes what
// was kept on the way. values gives a tensor's, nil for zeros.
func write(path string, layout []tensors.Info, metadata map[string]string, values func(t tensors.Info) ([]float32, error), state string) error {
	w, err := tensors.Create("", layout, tensors.Options{Single: path, Metadata: metadata})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, t := range layout {
		x, err := values(t)
		if err != nil {
			return err
		}
		if x == nil {
			x = make([]float32, t.Len())
		}
		for i, v := range x {
			if v-v != 0 {
				return fmt.Errorf("%s: the measurement gives %g at index %d: are the model's weights sound?", t.Name, v, i)
			}
		}
		b := make([]byte, 4*len(x))
		if err := tensors.Encode(b, x, tensors.F32); err != nil {
			return err
		}
		if err := w.WriteBytes(t.Name, 0, b); err != nil {
			return err
		}
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if state != "" {
		if err := os.Remove(state); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
