package runs

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"math"
	"slices"
)

// Numbers which SQLite would change (it turns NaN into NULL and -0 into 0) are
// kept as blobs, little endian.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of parts with their lengths, so that bytes cannot move
// from one column to the next.
func checksum(parts ...[]byte) uint32 {
	var sum uint32
	var length [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(length[:], uint64(len(p)))
		sum = crc32.Update(sum, castagnoli, length[:])
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

func appendFloats(b []byte, x ...float64) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// floats returns nil for an empty blob.
func floats(b []byte) ([]float64, error) {
	ids, err := integers(b)
	if err != nil || ids == nil {
		return nil, err
	}
	x := make([]float64, len(ids))
	for i, v := range ids {
		x[i] = math.Float64frombits(v)
	}
	return x, nil
}

func appendIntegers(b []byte, x ...uint64) []byte {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// integers returns nil for an empty blob.
func integers(b []byte) ([]uint64, error) {
	if len(b)%8 != 0 {
		return nil, damaged("%d bytes are no list of 64-bit numbers", len(b))
	}
	if len(b) == 0 {
		return nil, nil
	}
	x := make([]uint64, len(b)/8)
	for i := range x {
		x[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return x, nil
}

// appendMarks writes name, value pairs sorted by name: equal maps are equal
// bytes.
func appendMarks(b []byte, marks map[string]float64) []byte {
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = appendFloats(b, marks[name])
	}
	return b
}

// marks returns nil for an empty blob.
func marks(b []byte) (map[string]float64, error) {
	if len(b) == 0 {
		return nil, nil
	}
	m := map[string]float64{}
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || len(b)-k < 8 || n > uint64(len(b)-k-8) {
			return nil, damaged("the marks end early")
		}
		name, rest := string(b[k:k+int(n)]), b[k+int(n):]
		m[name] = math.Float64frombits(binary.LittleEndian.Uint64(rest))
		b = rest[8:]
	}
	return m, nil
}
