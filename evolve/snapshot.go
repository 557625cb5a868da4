package evolve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// A snapshot is: kind, one byte of format version, fields in little endian,
// CRC-32C of all before. The sum makes a flipped bit an error instead of another
// run.

// errSnapshot is wrapped by every refusal of a state.
var errSnapshot = errors.New("not a usable optimizer state")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type snapshotWriter struct{ b []byte }

func newSnapshot(kind string, version byte) *snapshotWriter {
	return &snapshotWriter{append([]byte(kind), version)}
}

func (w *snapshotWriter) uint(x uint64)   { w.b = binary.LittleEndian.AppendUint64(w.b, x) }
func (w *snapshotWriter) int(x int)       { w.uint(uint64(int64(x))) }
func (w *snapshotWriter) float(x float64) { w.uint(math.Float64bits(x)) }

func (w *snapshotWriter) bool(x bool) {
	if x {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

// floats writes the length too.
func (w *snapshotWriter) floats(x []float64) {
	w.int(len(x))
	for _, v := range x {
		w.float(v)
	}
}

func (w *snapshotWriter) bytes() []byte {
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli))
}

// snapshotReader remembers its first error and reads zeros from then on.
type snapshotReader struct {
	b   []byte
	err error
}

func readSnapshot(data []byte, kind string, version byte) *snapshotReader {
	r := &snapshotReader{}
	head := len(kind) + 1
	switch {
	case len(data) < head+4 || string(data[:len(kind)]) != kind:
		r.fail("it is not of kind %q", kind)
	case data[len(kind)] != version:
		r.fail("%s version %d, this program reads %d", kind, data[len(kind)], version)
	case crc32.Checksum(data[:len(data)-4], castagnoli) != binary.LittleEndian.Uint32(data[len(data)-4:]):
		r.fail("%s: the checksum differs", kind)
	default:
		r.b = data[head : len(data)-4]
	}
	return r
}

func (r *snapshotReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errSnapshot, fmt.Sprintf(format, args...))
	}
	r.b = nil
}

func (r *snapshotReader) uint() uint64 {
	if len(r.b) < 8 {
		r.fail("it ends early")
		return 0
	}
	x := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return x
}

func (r *snapshotReader) float() float64 { return math.Float64frombits(r.uint()) }

// int reads one within [lo, hi].
func (r *snapshotReader) int(name string, lo, hi int) int {
	x := int64(r.uint())
	if r.err == nil && (x < int64(lo) || x > int64(hi)) {
		r.fail("%s %d is not in [%d, %d]", name, x, lo, hi)
	}
	if r.err != nil {
		return lo
	}
	return int(x)
}

func (r *snapshotReader) bool(name string) bool { return r.int(name, 0, 1) == 1 }

// finite reads a number which is neither NaN nor infinite.
func (r *snapshotReader) finite(name string) float64 {
	x := r.float()
	if math.IsNaN(x) || math.IsInf(x, 0) {
		r.fail("%s is %v", name, x)
		return 0
	}
	return x
}

// floats reads at most max numbers of any kind; the length is checked against
// what is left before anything is allocated.
func (r *snapshotReader) floats(name string, max int) []float64 {
	n := r.int(name+" length", 0, min(max, len(r.b)/8))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.float()
	}
	return x
}

// vector reads exactly n numbers, each by item (finite or positive).
func (r *snapshotReader) vector(name string, n int, item func(string) float64) []float64 {
	if got := r.int(name+" length", 0, len(r.b)/8); got != n {
		r.fail("%s has %d numbers, not %d", name, got, n)
	}
	if r.err != nil {
		return nil
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = item(name)
	}
	return x
}

// end returns the first error, or one if anything is left.
func (r *snapshotReader) end() error {
	if len(r.b) > 0 {
		r.fail("%d bytes are left over", len(r.b))
	}
	return r.err
}
