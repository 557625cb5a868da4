package runs

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"
)

// How a candidate's Items are stored.
const (
	bits   = 1 // one bit an item: all are 0 or 1
	single = 2 // zlib of float32
)

const one = 0x3f800000 // 1 as float32

// packed is Items ready to be stored.
type packed struct {
	// key makes candidates with the same predictions share a row; nil does not.
	// It has a digest of the items beside the Outputs, because equal predictions
	// do not promise equal log-likelihoods, and what was given comes back.
	key      []byte
	count    int
	encoding int
	raw      []byte // for single, before compression
}

// packer is reused, as a zlib.Writer is a megabyte to make. The packed is good
// until the next.
type packer struct {
	raw []byte
	out bytes.Buffer
	z   *zlib.Writer
}

func (p *packer) pack(items []float32, outputs [16]byte) packed {
	r := packed{count: len(items), encoding: bits}
	// Without branches: right and wrong answers are what no processor predicts.
	p.raw = append(p.raw[:0], make([]byte, (len(items)+7)/8)...)
	var other uint32
	for i, v := range items {
		b := math.Float32bits(v)
		bit := b >> 29 & 1
		other |= b ^ -bit&one
		p.raw[i/8] |= byte(bit << (i % 8))
	}
	if other != 0 {
		r.encoding, p.raw = single, p.raw[:0]
		for _, v := range items {
			p.raw = binary.LittleEndian.AppendUint32(p.raw, math.Float32bits(v))
		}
	}
	r.raw = p.raw
	if outputs != [16]byte{} {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(p.raw, uint64(r.count)))
		r.key = append(outputs[:], sum[:16]...)
	}
	return r
}

// data is what is stored. Only new rows are worth compressing.
func (p *packer) data(r packed) ([]byte, error) {
	if r.encoding == bits {
		return r.raw, nil
	}
	p.out.Reset()
	if p.z == nil {
		// The best speed: noisy float32 hardly gets smaller with more effort.
		z, err := zlib.NewWriterLevel(&p.out, zlib.BestSpeed)
		if err != nil {
			return nil, err
		}
		p.z = z
	} else {
		p.z.Reset(&p.out)
	}
	if _, err := p.z.Write(r.raw); err != nil {
		return nil, err
	}
	if err := p.z.Close(); err != nil {
		return nil, err
	}
	return p.out.Bytes(), nil
}

// unpack trusts nothing: memory grows with the data, not with the count.
func unpack(count, encoding int, data []byte) ([]float32, error) {
	switch encoding {
	case bits:
		if count < 0 || len(data) != (count+7)/8 {
			return nil, damaged("%d bytes for %d items of one bit", len(data), count)
		}
		items := make([]float32, count)
		for i := range items {
			items[i] = float32(data[i/8] >> (i % 8) & 1)
		}
		return items, nil
	case single:
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, damaged("items: %v", err)
		}
		raw, err := io.ReadAll(io.LimitReader(z, 4*int64(count)+1))
		if err != nil {
			return nil, damaged("items: %v", err)
		}
		if count < 0 || len(raw)%4 != 0 || len(raw)/4 != count {
			return nil, damaged("%d bytes for %d items", len(raw), count)
		}
		items := make([]float32, count)
		for i := range items {
			items[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return items, nil
	}
	return nil, damaged("items in the unknown encoding %d", encoding)
}
