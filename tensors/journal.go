package tensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// journalFormat is the version of the journal that this program writes and reads.
const journalFormat = 1

// beginning is the journal's first line.
type beginning struct {
	Format   int       `json:"partial"`
	Identity string    `json:"identity"` // the caller's, of what is written
	Layout   string    `json:"layout"`   // of the files' headers
	Began    time.Time `json:"began"`
}

// finished is each other line: a shard that is on the disk, whole.
type finished struct {
	Shard string `json:"shard"`
	Bytes int64  `json:"bytes"` // of the file
}

// parseJournal reads a journal. What follows the last newline was being written when
// the process died, and says nothing; any other line that is not a journal's is an
// error with its number.
func parseJournal(raw []byte) (b beginning, shards []finished, err error) {
	lines := bytes.SplitAfter(raw, []byte("\n"))
	for i, line := range lines[:len(lines)-1] {
		var into any = &b
		var f finished
		if i > 0 {
			into = &f
		}
		if err := strictJSON(line, into); err != nil {
			return b, nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		switch {
		case i == 0 && b.Format != journalFormat:
			return b, nil, fmt.Errorf("line 1: format %d, where this program knows %d", b.Format, journalFormat)
		case i == 0 && (b.Identity == "" || b.Layout == ""):
			return b, nil, errors.New("line 1: it does not say of what")
		case i > 0 && (f.Shard == "" || f.Bytes <= 0):
			return b, nil, fmt.Errorf("line %d: it names no shard", i+1)
		case i > 0:
			shards = append(shards, f)
		}
	}
	if len(lines) < 2 {
		return b, nil, errors.New("it has no first line")
	}
	return b, shards, nil
}

// strictJSON decodes one object with known keys, and nothing after it.
func strictJSON(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one object")
	}
	return nil
}

// layoutDigest tells layouts apart, by the names and headers of all files.
func layoutDigest(files []*outFile) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.name, len(f.header))
		h.Write(f.header)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// startJournal replaces the journal, in one step, by one of the shards that are kept,
// and opens it for more.
func (p *partial) startJournal(b beginning, files []*outFile) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	if err := e.Encode(b); err != nil {
		return err
	}
	for _, f := range files {
		if f.kept {
			if err := e.Encode(finished{f.name, f.size()}); err != nil {
				return err
			}
		}
	}
	next := output{path: p.path(journalNext)}
	if err := gone(next.path); err != nil {
		return err
	}
	err := p.create(&next)
	if err == nil {
		err = p.write(&next, text.Bytes(), 0)
	}
	if err == nil {
		err = p.finish(&next)
	}
	if err = errors.Join(err, next.close()); err != nil {
		return err
	}
	path := p.path(journalName)
	if err := p.step("rename", path, func() error { return os.Rename(next.path, path) }); err != nil {
		return err
	}
	p.journal, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// record notes that a shard is on the disk, whole, when it is. After a line that
// failed, and may be cut, there is no other.
func (p *partial) record(f *outFile) error {
	line, err := json.Marshal(finished{f.name, f.size()})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	path := p.path(journalName)
	err = p.syncDir(p.path(workName))
	if err == nil {
		err = p.step("write", path, func() error {
			_, err := p.journal.Write(append(line, '\n'))
			return err
		})
	}
	if err == nil {
		err = p.step("fsync", path, p.journal.Sync)
	}
	p.broken = err
	return err
}
