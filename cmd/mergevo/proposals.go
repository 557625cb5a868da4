package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mergevo/mergevo/internal/chat"
)

// proposals asks a language model for a search, and keeps every answer in the run's
// folder before it is used: a resumed run is answered from there, and goes the same way.
type proposals struct {
	dir     func() string // the run's folder, once there is one
	options map[string]string
	client  *chat.Client
	known   map[string]proposal // by the prompt's digest; nil until read
}

type proposal struct {
	Prompt string `json:"prompt"` // its sha256
	Answer string `json:"answer"`
	Tokens int    `json:"tokens"`
}

const proposalsFile = "proposals.jsonl"

// propose is an evolve.Proposer.
func (p *proposals) propose(ctx context.Context, prompt string) (string, int, error) {
	file := filepath.Join(p.dir(), proposalsFile)
	if p.known == nil {
		if err := p.read(file); err != nil {
			return "", 0, err
		}
	}
	sum := sha256.Sum256([]byte(prompt))
	key := hex.EncodeToString(sum[:])
	if known, ok := p.known[key]; ok {
		return known.Answer, known.Tokens, nil
	}
	if err := p.open(); err != nil {
		return "", 0, err
	}
	answer, tokens, err := p.client.Ask(ctx, prompt)
	if err != nil {
		return "", 0, err
	}
	known := proposal{key, answer, tokens}
	if err := keepLine(file, known); err != nil {
		return "", 0, err
	}
	p.known[key] = known
	return answer, tokens, nil
}

// open finds the endpoint, which a search does before it begins.
func (p *proposals) open() (err error) {
	if p.client != nil {
		return nil
	}
	seconds := 120.0
	if t, err := strconv.ParseFloat(p.options["timeout"], 64); err == nil {
		seconds = t
	}
	p.client, err = chat.FromEnvironment(p.options["model"], time.Duration(seconds*float64(time.Second)))
	return err
}

// read reads the answers of a run that goes on; a last line that a kill cut is no
// answer.
func (p *proposals) read(file string) error {
	p.known = map[string]proposal{}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return plainPath(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var known proposal
		if json.Unmarshal(lines.Bytes(), &known) == nil && known.Prompt != "" {
			p.known[known.Prompt] = known
		}
	}
	return lines.Err()
}

// keepLine appends a line of JSON, after a line break of its own where the last line
// was cut, and has it on the disk when it returns.
func keepLine(file string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return plainPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plainPath(err)
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return plainPath(err)
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return plainPath(err)
	}
	return plainPath(f.Sync())
}
