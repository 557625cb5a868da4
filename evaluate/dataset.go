package evaluate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mergevo/mergevo/evaluate/models"
	"github.com/mergevo/mergevo/tensors"
)

// Key identifies an example by its stored content.
type Key [16]byte

// Dataset is the examples of one task in memory.
type Dataset struct {
	Name   string
	Kind   string  // classification, where empty
	Metric string  // accuracy, where empty
	Labels []int32 // [n], the right class or option
	Keys   []Key   // [n]
	// Classes are the classes' names, where they have some.
	Classes []string

	File   string        // where tensors come from
	Rows   []int         // [n], their places in it
	DType  tensors.DType // of tensors: U8 or F32
	Shape  []int         // of one input
	Inputs []byte        // [n, Shape...]
	// Pixels says how U8 becomes what a model of images takes.
	Pixels   *models.Pixels
	Features *Features

	// Decode writes tokens as text, of texts.
	Decode    func(ids []int32) string
	Sequences []Sequence // of texts: Options[0] of the first example, and so on
	Options   []int      // [n]
	Gold      []float64  // [n], what sts compares with
	Answers   []string   // [n], what generate compares with
	Prompts   []string   // [n], what a scorer of generate is told
	Writing   *Writing
	Head      *Head
	Pooling   string
}

// Len returns the number of examples.
func (d *Dataset) Len() int { return len(d.Labels) }

// Bytes is what the examples take on the device.
func (d *Dataset) Bytes() int64 {
	n := int64(len(d.Inputs))
	for _, q := range d.Sequences {
		n += 8 * int64(len(q.IDs))
	}
	return n
}

// Load reads a task's examples and shares them out by its split. A part without
// examples is nil. shape is the model's input shape and classes its number of
// outputs; what does not fit them is an error that says so. Images may have their
// channels first or last.
func Load(t Task, shape []int, classes int) (parts [3]*Dataset, err error) {
	c, err := tensors.Open(t.Data)
	if err != nil {
		return parts, fmt.Errorf("task %s: %w", t.Name, err)
	}
	defer c.Close()
	fail := func(format string, args ...any) ([3]*Dataset, error) {
		return parts, fmt.Errorf("task %s: %s: "+format, append([]any{t.Name, t.Data}, args...)...)
	}
	in, ok := c.Lookup(t.Inputs)
	if !ok {
		return fail("no tensor %q for the inputs; it holds %s", t.Inputs, names(c))
	}
	out, ok := c.Lookup(t.Targets)
	if !ok {
		return fail("no tensor %q for the labels; it holds %s", t.Targets, names(c))
	}
	if len(in.Shape) == 0 || len(out.Shape) != 1 || out.Shape[0] != in.Shape[0] {
		return fail("%s has shape %v and %s %v; want [n, ...] and [n]", t.Inputs, in.Shape, t.Targets, out.Shape)
	}
	if elements(in.Shape[1:]) != elements(shape) {
		return fail("an example has shape %v, the model takes %v", in.Shape[1:], shape)
	}
	labels, err := readLabels(c, out)
	if err != nil {
		return fail("%w", err)
	}
	raw, dtype, err := readInputs(c, in)
	if err != nil {
		return fail("%w", err)
	}
	width := elements(shape) * dtype.Size()
	if channelsLast(in.Shape[1:], shape) {
		for i := range labels {
			channelsFirst(raw[i*width:(i+1)*width], shape, dtype.Size())
		}
	}
	type pick struct {
		at   int
		key  Key
		rank uint64
	}
	var picks []pick
	for i, label := range labels {
		if label < 0 || label >= classes {
			return fail("example %d has label %d, the model has %d outputs", i, label, classes)
		}
		if t.keepsLabel(label) {
			sum := sha256.Sum256(raw[i*width : (i+1)*width])
			picks = append(picks, pick{i, Key(sum[:16]), sampleRank(sum, t.SampleSeed)})
		}
	}
	if len(picks) == 0 {
		return fail("no example has one of the labels %v", t.Labels)
	}
	if t.Limit > 0 && t.Limit < len(picks) {
		slices.SortStableFunc(picks, func(a, b pick) int { return cmp.Compare(a.rank, b.rank) })
		picks = picks[:t.Limit]
		slices.SortFunc(picks, func(a, b pick) int { return a.at - b.at })
	}
	for _, p := range picks {
		part, ok := t.Split.Of(p.key)
		if !ok {
			continue
		}
		d := parts[part]
		if d == nil {
			d = &Dataset{Name: t.Name, Kind: t.Kind, Metric: t.Metric, File: t.Data, DType: dtype, Shape: shape}
			parts[part] = d
		}
		example := raw[p.at*width : (p.at+1)*width]
		if t.Rotate != 0 {
			if example, err = rotate(example, shape, dtype.Size(), t.Rotate); err != nil {
				return fail("%w", err)
			}
		}
		d.Inputs = append(d.Inputs, example...)
		d.Rows = append(d.Rows, p.at)
		d.Labels = append(d.Labels, int32(labels[p.at]))
		d.Keys = append(d.Keys, p.key)
	}
	return parts, nil
}

// splitPlace spreads examples over [0, 1) by content, so that the same image has
// the same use in every task and every file.
func splitPlace(k Key) float64 {
	return float64(binary.LittleEndian.Uint64(k[8:])>>11) / (1 << 53)
}

func sampleRank(sum [32]byte, seed uint64) uint64 {
	b := binary.LittleEndian.AppendUint64(sum[:], seed)
	h := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(h[:])
}

func names(c *tensors.Checkpoint) string {
	var out []string
	for _, t := range c.Tensors() {
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// readLabels reads integer labels of any width.
func readLabels(c *tensors.Checkpoint, t tensors.Info) ([]int, error) {
	raw, err := c.Raw(t.Name)
	if err != nil {
		return nil, err
	}
	read := map[tensors.DType]func([]byte) int{
		tensors.U8:  func(b []byte) int { return int(b[0]) },
		tensors.I32: func(b []byte) int { return int(int32(binary.LittleEndian.Uint32(b))) },
		tensors.I64: func(b []byte) int { return int(int64(binary.LittleEndian.Uint64(b))) },
	}[t.DType]
	if read == nil {
		return nil, fmt.Errorf("labels %s are %s; want U8, I32 or I64", t.Name, t.DType)
	}
	out := make([]int, t.Len())
	w := t.DType.Size()
	err = c.Guard(func() error {
		for i := range out {
			out[i] = read(raw[i*w:])
		}
		return nil
	})
	return out, err
}

// readInputs copies the inputs: bytes as they are, floats as float32.
func readInputs(c *tensors.Checkpoint, t tensors.Info) ([]byte, tensors.DType, error) {
	if t.DType == tensors.U8 {
		raw, err := c.Raw(t.Name)
		if err != nil {
			return nil, 0, err
		}
		var out []byte
		err = c.Guard(func() error { out = bytes.Clone(raw); return nil })
		return out, tensors.U8, err
	}
	if !t.DType.Float() {
		return nil, 0, fmt.Errorf("inputs %s are %s; want U8 or a floating-point type", t.Name, t.DType)
	}
	values := make([]float32, t.Len())
	if err := c.ReadAt(values, t.Name, 0); err != nil {
		return nil, 0, err
	}
	out := make([]byte, 4*len(values))
	return out, tensors.F32, tensors.Encode(out, values, tensors.F32)
}

// channelsLast reports whether images are [H, W, C] where [C, H, W] is wanted.
func channelsLast(have, want []int) bool {
	return len(want) == 3 && !slices.Equal(have, want) && slices.Equal(have, []int{want[1], want[2], want[0]})
}

// channelsFirst brings an image [H, W, C] of elements of width bytes, in place, to
// shape, [C, H, W].
func channelsFirst(img []byte, shape []int, width int) {
	old := bytes.Clone(img)
	channels, places := shape[0], shape[1]*shape[2]
	for p := range places {
		for c := range channels {
			copy(img[(c*places+p)*width:][:width], old[(p*channels+c)*width:])
		}
	}
}

// rotate turns an image [C, H, W] of elements of width bytes counter-clockwise,
// as numpy's rot90 does on the last two axes.
func rotate(img []byte, shape []int, width, degrees int) ([]byte, error) {
	if len(shape) != 3 || shape[1] != shape[2] {
		return nil, fmt.Errorf("rotate needs square images [channels, size, size], not %v", shape)
	}
	n := shape[1]
	out := make([]byte, len(img))
	for c := range shape[0] {
		for y := range n {
			for x := range n {
				sy, sx := y, x
				switch degrees {
				case 90:
					sy, sx = x, n-1-y
				case 180:
					sy, sx = n-1-y, n-1-x
				case 270:
					sy, sx = n-1-x, y
				}
				to, from := ((c*n+y)*n+x)*width, ((c*n+sy)*n+sx)*width
				copy(out[to:to+width], img[from:from+width])
			}
		}
	}
	return out, nil
}
