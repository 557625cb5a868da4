package runs

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mergevo/mergevo/evolve"
)

// Record is a candidate as it is stored.
type Record struct {
	evolve.Scored[[]float64]

	// Generation is the one it belongs to, 1, 2, 3, …; Append sets it.
	Generation int

	// Tasks is the mark in each task.
	Tasks map[string]float64

	// Outputs is the hash of the predictions, zero when there is none.
	Outputs [16]byte
}

// score is the bits of Value and Tie.
func (c *Record) score() []byte { return appendFloats(nil, c.Value, c.Tie) }

// sum covers what scan reads; items is the checksum of the row they are in.
func (c *Record) sum(items uint32, message *string) uint32 {
	text, has := "", uint64(0)
	if message != nil {
		text, has = *message, 1
	}
	return checksum(
		appendIntegers(nil, c.ID, uint64(c.Generation), has, uint64(items)),
		c.score(), appendFloats(nil, c.Genome...), appendIntegers(nil, c.Parents...),
		appendMarks(nil, c.Tasks), c.Outputs[:], []byte(text),
	)
}

// message is Err as it is stored.
func (c *Record) message() *string {
	if c.Err == nil {
		return nil
	}
	s := c.Err.Error()
	return &s
}

// differs names the first thing in which a candidate which comes again is not
// what was stored, "" if nothing does. Tasks and Outputs may be missing, as
// evolve does not carry them; Items follow from the rest.
func (c *Record) differs(again *Record) string {
	same := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	switch am, bm := c.message(), again.message(); {
	case !slices.EqualFunc(c.Genome, again.Genome, same):
		return "genome"
	case !slices.Equal(c.Parents, again.Parents):
		return "parents"
	case !same(c.Value, again.Value):
		return "value"
	case !same(c.Tie, again.Tie):
		return "tie"
	case (am == nil) != (bm == nil) || am != nil && *am != *bm:
		return "error"
	}
	return ""
}

// scan reads a row of columns.
func scan(rows *sql.Rows) (Record, error) {
	var c Record
	var id int64
	var message sql.NullString
	var score, genome, parents, tasks, outputs, data sql.RawBytes
	var sum uint32
	var items, count, encoding, itemsSum sql.NullInt64
	err := rows.Scan(&id, &c.Generation, &message, &score, &genome, &parents, &tasks, &outputs, &sum,
		&items, &count, &encoding, &data, &itemsSum)
	if err != nil {
		return Record{}, damaged("candidates: %v", err)
	}
	c.ID = uint64(id)
	fail := func(err error) (Record, error) { return Record{}, fmt.Errorf("candidate %d: %w", id, err) }

	if len(score) != 16 || len(outputs) != 16 {
		return fail(damaged("its score has %d bytes and its hash %d, not 16", len(score), len(outputs)))
	}
	c.Value = math.Float64frombits(binary.LittleEndian.Uint64(score))
	c.Tie = math.Float64frombits(binary.LittleEndian.Uint64(score[8:]))
	c.Outputs = [16]byte(outputs)
	var text *string
	if message.Valid {
		text, c.Err = &message.String, errors.New(message.String)
	}
	if c.Genome, err = floats(genome); err != nil {
		return fail(err)
	}
	if c.Parents, err = integers(parents); err != nil {
		return fail(err)
	}
	if c.Tasks, err = marks(tasks); err != nil {
		return fail(err)
	}
	if items.Valid {
		if !itemsSum.Valid || itemsSum.Int64 != int64(itemsTotal(count.Int64, encoding.Int64, data)) {
			return fail(damaged("the checksum of its items differs"))
		}
		if c.Items, err = unpack(int(count.Int64), int(encoding.Int64), data); err != nil {
			return fail(err)
		}
	}
	if c.sum(uint32(itemsSum.Int64), text) != sum {
		return fail(damaged("its checksum differs"))
	}
	return c, nil
}

// itemsTotal is the checksum of a row of items.
func itemsTotal(count, encoding int64, data []byte) uint32 {
	return checksum(appendIntegers(nil, uint64(count), uint64(encoding)), data)
}

// list reads all rows of a query of columns.
func list(rows *sql.Rows, err error) ([]Record, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Record
	for rows.Next() {
		c, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}
