package main

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// point is where a run stands: after so many evaluations, the accuracy on the test
// digits of the member that is best on the training digits, in %, and how much the
// archive's members differ.
type point struct {
	Evaluations int     `json:"evaluations"`
	Test        float64 `json:"test"`
	Coverage    float64 `json:"coverage"`
	Entropy     float64 `json:"entropy"`
	Distance    float64 `json:"distance"`
}

// marks are the evaluations at which a run is looked at: ten a decade.
func marks(most int) []int {
	var out []int
	for k := 0; ; k++ {
		n := int(math.Round(10 * math.Pow(10, float64(k)/10)))
		if n >= most {
			return append(out, most)
		}
		out = append(out, n)
	}
}

// curve is a variant's points over its seeds.
type curve struct {
	name  string
	lines []line // of each seed, with points at the same marks
}

// band is the mean over the seeds of a number and its standard error, at each mark.
func (c curve) band(number func(point) float64) (x, mean, se []float64) {
	for i, p := range c.lines[0].Points {
		m, e := meanOf(c.lines, func(l line) float64 { return number(l.Points[i]) })
		x, mean, se = append(x, float64(p.Evaluations)), append(mean, m), append(se, e)
	}
	return x, mean, se
}

// colours tell curves apart, also for who sees no red or no green (Okabe and Ito).
var colours = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}}

// draw writes a picture of the curves, with bands of a standard error, as the paper's
// figure has them. The file's extension chooses the format: svg, png, pdf.
func draw(file, what string, curves []curve, number func(point) float64) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "evaluations", what
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, c := range curves {
		x, mean, se := c.band(number)
		var middle, outline plotter.XYs
		for k := range x {
			middle = append(middle, plotter.XY{X: x[k], Y: mean[k]})
			outline = append(outline, plotter.XY{X: x[k], Y: mean[k] + se[k]})
		}
		for k := len(x) - 1; k >= 0; k-- {
			outline = append(outline, plotter.XY{X: x[k], Y: mean[k] - se[k]})
		}
		colour := colours[i%len(colours)]
		line, err := plotter.NewLine(middle)
		if err != nil {
			return err
		}
		line.Color, line.Width = colour, vg.Points(1.5)
		band, err := plotter.NewPolygon(outline)
		if err != nil {
			return err
		}
		faint := colour
		faint.A = 60
		band.Color, band.LineStyle.Width = color.NRGBA(faint), 0
		p.Add(band, line)
		p.Legend.Add(c.name, line)
	}
	return p.Save(7*vg.Inch, 4.5*vg.Inch, file)
}
