package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const logName = "log.jsonl"

// Log appends event as a line of JSON to log.jsonl. The log is for people: it
// may miss what the database has, and nothing is read back from it.
func (r *Run) Log(event any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		return r.err(fmt.Errorf("log: %w", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(); err != nil {
		return r.err(err)
	}
	if r.log == nil {
		f, err := os.OpenFile(filepath.Join(r.dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return r.err(fmt.Errorf("log: %w", err))
		}
		r.log = f
	}
	info, err := r.log.Stat()
	if err != nil {
		return r.err(fmt.Errorf("log: %w", err))
	}
	if _, err := r.log.Write(line.Bytes()); err != nil {
		// Half a line would spoil the next one.
		_ = r.log.Truncate(info.Size())
		return r.err(fmt.Errorf("log: %w", err))
	}
	return nil
}

func (r *Run) closeLog() error {
	if r.log == nil {
		return nil
	}
	return errors.Join(r.log.Sync(), r.log.Close())
}

// mendLog cuts off a last line which a killed process did not finish.
func mendLog(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, logName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("log: %s is not a file; move it away", logName)
	}
	end := info.Size()
	block := make([]byte, 4096)
	for pos := end; pos > 0; {
		n := min(pos, int64(len(block)))
		pos -= n
		if _, err := f.ReadAt(block[:n], pos); err != nil && err != io.EOF {
			return fmt.Errorf("log: %w", err)
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			if whole := pos + int64(i) + 1; whole < end {
				return f.Truncate(whole)
			}
			return nil
		}
	}
	return f.Truncate(0)
}
