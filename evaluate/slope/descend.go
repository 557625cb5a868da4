package slope

import (
	"context"
	"errors"
	"fmt"
	"math"

	gmlx "github.com/gomlx/gomlx/core/tensors"

	"github.com/mergevo/mergevo/merge"
)

// Descent is Adam (Kingma & Ba 2015, arXiv:1412.6980) on the parameters of a merge.
type Descent struct {
	Steps int
	// Rate is the length of a step, in parts of each parameter's range.
	Rate float64
	// Spec is the merge at a point of the unit cube.
	Spec func(at []float64) (*merge.Spec, error)
	// Progress, if not nil, is told of the objective on a step's batch.
	Progress func(step int, value float64)
}

// difference is the step of the difference quotients by which coefficients follow from
// parameters: those are float32, so that it is no smaller.
const difference = 1e-3

// Run descends from a point of the unit cube, and returns where it ends: the mean of the
// last quarter of the steps, which the noise of the batches moves less than the last one.
//
// The coefficients' derivatives with respect to the parameters are difference quotients,
// of a few numbers on the host; those of the objective with respect to the coefficients
// come from the graph. Which entries a mask keeps is taken as constant.
func (d Descent) Run(ctx context.Context, s *Slope, start []float64) ([]float64, error) {
	at := append([]float64(nil), start...)
	m, v := make([]float64, len(at)), make([]float64, len(at))
	mean, over := make([]float64, len(at)), 0
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	spec, err := d.Spec(start)
	if err != nil {
		return nil, err
	}
	if spec.Method.Solve != nil {
		return nil, fmt.Errorf("%s solves for whole tensors: it has no gradient", spec.Method.Name)
	}
	kind := s.pop.Kind(spec)
	for step := range d.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, g, err := d.Gradient(ctx, s, kind, at, step)
		if err != nil {
			return nil, err
		}
		for i := range at {
			m[i] = beta1*m[i] + (1-beta1)*g[i]
			v[i] = beta2*v[i] + (1-beta2)*g[i]*g[i]
			mh, vh := m[i]/(1-math.Pow(beta1, float64(step+1))), v[i]/(1-math.Pow(beta2, float64(step+1)))
			at[i] = min(max(at[i]-d.Rate*mh/(math.Sqrt(vh)+epsilon), 0), 1)
		}
		if step >= d.Steps-max(1, d.Steps/4) {
			over++
			for i, x := range at {
				mean[i] += x
			}
		}
		if d.Progress != nil {
			d.Progress(step, value)
		}
	}
	if over == 0 {
		return at, nil
	}
	for i := range mean {
		mean[i] /= float64(over)
	}
	return mean, nil
}

// Gradient returns the objective on a step's batch, and its gradient with respect to the
// parameters.
func (d Descent) Gradient(ctx context.Context, s *Slope, kind *merge.Kind, at []float64, step int) (value float64, gradient []float64, err error) {
	spec, err := d.Spec(at)
	if err != nil {
		return 0, nil, err
	}
	value, slope, err := s.At(ctx, kind, spec, step)
	if err != nil {
		return 0, nil, err
	}
	gradient, err = d.chain(kind, at, slope)
	return value, gradient, err
}

// chain is the gradient with respect to the parameters, of that with respect to the
// coefficients.
func (d Descent) chain(kind *merge.Kind, at, slope []float64) ([]float64, error) {
	var specs []*merge.Spec
	var width []float64
	for i := range at {
		// One-sided at the ends of the range.
		ends := [2]float64{max(0, at[i]-difference), min(1, at[i]+difference)}
		width = append(width, ends[1]-ends[0])
		for _, x := range ends {
			moved := append([]float64(nil), at...)
			moved[i] = x
			spec, err := d.Spec(moved)
			if err != nil {
				return nil, err
			}
			specs = append(specs, spec)
		}
	}
	f, u, errs := kind.Coefs(specs)
	defer finalize([]*gmlx.Tensor{f, u})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all, err := gmlx.CopyFlatData[float32](f)
	if err != nil {
		return nil, err
	}
	n := len(all) / len(specs)
	g := make([]float64, len(at))
	for i := range at {
		lo, hi := all[2*i*n:(2*i+1)*n], all[(2*i+1)*n:(2*i+2)*n]
		for j := range n {
			g[i] += slope[j] * (float64(hi[j]) - float64(lo[j])) / width[i]
		}
	}
	return g, nil
}
