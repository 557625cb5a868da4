package main

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Before and after differ also for who sees no red or no green (Okabe and Ito).
var (
	colourBefore = color.RGBA{213, 94, 0, 255}
	colourAfter  = color.RGBA{0, 114, 178, 255}
)

// draw writes a picture of the report: on the left the loss on the way to each model, on
// the right the agreement of singular vectors, matrix by matrix; before and after.
func (e alignEvent) draw(file string) error {
	var plots []*plot.Plot
	if p, err := e.drawPaths(); err != nil {
		return err
	} else if p != nil {
		plots = append(plots, p)
	}
	if p, err := e.drawVectors(); err != nil {
		return err
	} else if p != nil {
		plots = append(plots, p)
	}
	if len(plots) == 0 {
		return fmt.Errorf("--plot %s: there is nothing to draw without --tasks and with --vectors 0", file)
	}
	c, err := draw.NewFormattedCanvas(vg.Length(len(plots))*5*vg.Inch, 4*vg.Inch, strings.ToLower(strings.TrimPrefix(filepath.Ext(file), ".")))
	if err != nil {
		return err
	}
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Points(12)}
	for i, canvas := range plot.Align([][]*plot.Plot{plots}, tiles, draw.New(c))[0] {
		plots[i].Draw(canvas)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	return appear(file, b.Bytes())
}

// drawPaths is the losses on the ways, nil where none was scored.
func (e alignEvent) drawPaths() (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "from A to B", "loss"
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	any := false
	for _, m := range e.Models {
		if m.Path == nil {
			continue
		}
		for k, steps := range [][]step{m.Path.Before, m.Path.After} {
			var points plotter.XYs
			for _, s := range steps {
				if s.Error == "" {
					points = append(points, plotter.XY{X: s.T, Y: s.Loss})
				}
			}
			if err := e.curve(p, points, k, !any); err != nil {
				return nil, err
			}
		}
		any = true
	}
	if !any {
		return nil, nil
	}
	return p, nil
}

// drawVectors is the agreements of the matrices in their order, nil where there are none.
func (e alignEvent) drawVectors() (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "matrix", "agreement of singular vectors"
	p.Y.Min, p.Y.Max, p.Legend.Top = 0, 1, true
	p.Add(plotter.NewGrid())
	any := false
	for _, m := range e.Models {
		if len(m.Vectors) == 0 {
			continue
		}
		before, after := make(plotter.XYs, len(m.Vectors)), make(plotter.XYs, len(m.Vectors))
		for i, v := range m.Vectors {
			before[i], after[i] = plotter.XY{X: float64(i + 1), Y: v.Before}, plotter.XY{X: float64(i + 1), Y: v.After}
		}
		for k, points := range []plotter.XYs{before, after} {
			if err := e.curve(p, points, k, !any); err != nil {
				return nil, err
			}
		}
		any = true
	}
	if !any {
		return nil, nil
	}
	return p, nil
}

// curve adds what was before, 0, or after, 1.
func (e alignEvent) curve(p *plot.Plot, points plotter.XYs, k int, named bool) error {
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	colour := []color.RGBA{colourBefore, colourAfter}[k]
	line.Color, line.Width = colour, vg.Points(1.5)
	dots.Color, dots.Shape = colour, draw.CircleGlyph{}
	dots.Radius = vg.Points(2)
	p.Add(line, dots)
	if named {
		p.Legend.Add([]string{"before", "after"}[k], line)
	}
	return nil
}
