package evolve

import (
	"encoding/binary"
	"math"
	"slices"
)

// fields reads or writes a state, field by field: an optimizer says once what its
// state is, and marshals and unmarshals by it.
type fields struct {
	w *snapshotWriter // one of them is nil
	r *snapshotReader
}

// marshal writes a state.
func marshal(kind string, version byte, state func(f fields)) ([]byte, error) {
	w := newSnapshot(kind, version)
	state(fields{w: w})
	return w.bytes(), nil
}

// unmarshal reads a state, and checks that it is whole; state then has zeros where
// something is wrong.
func unmarshal(data []byte, kind string, version byte, state func(f fields)) error {
	r := readSnapshot(data, kind, version)
	state(fields{r: r})
	return r.end()
}

// reading reports whether a state is being read: then lengths are to be checked.
func (f fields) reading() bool { return f.r != nil }

// ok reports whether what was read so far makes sense.
func (f fields) ok() bool { return f.r == nil || f.r.err == nil }

// fail refuses the state that is read.
func (f fields) fail(format string, args ...any) {
	if f.r != nil {
		f.r.fail(format, args...)
	}
}

func (f fields) uint(x *uint64) {
	if f.w != nil {
		f.w.uint(*x)
	} else {
		*x = f.r.uint()
	}
}

// int has a whole number within [lo, hi].
func (f fields) int(name string, x *int, lo, hi int) {
	if f.w != nil {
		f.w.int(*x)
	} else {
		*x = f.r.int(name, lo, hi)
	}
}

func (f fields) bool(name string, x *bool) {
	if f.w != nil {
		f.w.bool(*x)
	} else {
		*x = f.r.bool(name)
	}
}

// float has any number, NaN and infinities too.
func (f fields) float(x *float64) {
	if f.w != nil {
		f.w.float(*x)
	} else {
		*x = f.r.float()
	}
}

// within has a number in [lo, hi].
func (f fields) within(name string, x *float64, lo, hi float64) {
	f.float(x)
	if f.r != nil && !(*x >= lo && *x <= hi) {
		f.fail("%s %v is not in [%v, %v]", name, *x, lo, hi)
		*x = lo
	}
}

// vector has exactly n finite numbers.
func (f fields) vector(name string, x *[]float64, n int) {
	if f.w != nil {
		f.w.floats(*x)
	} else {
		*x = f.r.vector(name, n, f.r.finite)
	}
}

// unit has exactly n numbers in [0, 1].
func (f fields) unit(name string, x *[]float64, n int) {
	f.vector(name, x, n)
	if f.r != nil {
		for _, u := range *x {
			if !(u >= 0 && u <= 1) {
				f.fail("%s %v is not in [0, 1]", name, u)
			}
		}
	}
}

// floats has at most limit numbers of any kind.
func (f fields) floats(name string, x *[]float64, limit int) {
	if f.w != nil {
		f.w.floats(*x)
	} else {
		*x = f.r.floats(name, limit)
	}
}

// ids has at most limit candidates' IDs.
func (f fields) ids(name string, x *[]uint64, limit int) {
	n := len(*x)
	f.count(name, &n, limit, 8)
	if f.r != nil {
		*x = nil
		if n > 0 {
			*x = make([]uint64, n)
		}
	}
	for i := range *x {
		f.uint(&(*x)[i])
	}
}

// count has the length of a list whose items take at least size bytes each.
func (f fields) count(name string, n *int, limit, size int) {
	if f.r != nil {
		limit = min(limit, max(0, len(f.r.b)-8)/size) // behind the length itself
	}
	f.int(name+" count", n, 0, limit)
}

// asked has the account of the generation that is out.
func (f fields) asked(a *asked) {
	f.uint(&a.first)
	f.bool("out", &a.out)
	if f.r != nil && (a.first == 0 || a.first > math.MaxInt64) {
		f.fail("candidate IDs start at %d", a.first)
		a.first = 1
	}
}

// scored has a list of at most limit candidates of n genes in [0, 1] with their
// scores. Reasons of failures are not kept, nor the scores of examples.
func (f fields) scored(name string, list *[]Scored[[]float64], n, limit int) {
	count := len(*list)
	f.count(name, &count, limit, 8*(n+7))
	if f.r != nil {
		*list = make([]Scored[[]float64], count)
	}
	for i := range *list {
		s := &(*list)[i]
		f.uint(&s.ID)
		f.ids(name+" parents", &s.Parents, maxPopulation)
		f.unit(name, &s.Genome, n)
		if f.w != nil && s.Failed() {
			s.Value, s.Err = math.NaN(), nil
		}
		f.float(&s.Value)
		f.float(&s.Tie)
		f.floats(name+" objectives", &s.Objectives, 1<<10)
		f.floats(name+" descriptors", &s.Descriptors, 1<<10)
		if !f.ok() {
			return
		}
	}
}

// genes has the number of genes; a state of another number than an optimizer was
// made for, n if not 0, is refused.
func (f fields) genes(genes *int, n int) {
	f.int("genes", genes, 1, maxGenes)
	if f.r != nil && f.ok() && n > 0 && *genes != n {
		f.fail("it is for %d genes, not %d", *genes, n)
	}
}

// items has the scores of examples, of any number and kind: a bit each where all are 0
// or 1, else 4 bytes.
func (f fields) items(name string, x *[]float32) {
	n := len(*x)
	f.int(name+" count", &n, 0, math.MaxInt32)
	bits := !slices.ContainsFunc(*x, func(v float32) bool { return v != 0 && v != 1 })
	f.bool(name+" binary", &bits)
	var data []byte
	if f.w != nil {
		data = packItems(*x, bits)
	}
	f.bytes(name, &data)
	if f.w != nil || !f.ok() {
		return
	}
	want := 4 * n
	if bits {
		want = (n + 7) / 8
	}
	if len(data) != want {
		f.fail("%s of %d examples take %d bytes", name, n, len(data))
		return
	}
	*x = unpackItems(data, n, bits)
}

func packItems(x []float32, bits bool) []byte {
	if !bits {
		var out []byte
		for _, v := range x {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
		return out
	}
	out := make([]byte, (len(x)+7)/8)
	for j, v := range x {
		if v == 1 {
			out[j/8] |= 1 << (j % 8)
		}
	}
	return out
}

// unpackItems returns nil for none.
func unpackItems(data []byte, n int, bits bool) []float32 {
	var out []float32
	for j := range n {
		if bits {
			out = append(out, float32(data[j/8]>>(j%8)&1))
		} else {
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(data[4*j:])))
		}
	}
	return out
}

// bytes has any bytes.
func (f fields) bytes(name string, x *[]byte) {
	n := len(*x)
	f.count(name, &n, math.MaxInt32, 1)
	if f.w != nil {
		f.w.b = append(f.w.b, *x...)
		return
	}
	*x = slices.Clone(f.r.b[:n])
	f.r.b = f.r.b[n:]
}

// word has one of some words.
func (f fields) word(name string, x *string, words ...string) {
	i := max(0, slices.Index(words, *x))
	f.int(name, &i, 0, len(words)-1)
	*x = words[i]
}
