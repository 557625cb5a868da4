package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed peer.py
var script string

// peer is a Python program that is told what to do by lines and answers with seconds.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startPeer(ctx context.Context, python, dir string, texts int) (*peer, error) {
	file := filepath.Join(dir, "peer.py")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return nil, err
	}
	p := &peer{cmd: exec.CommandContext(ctx, python, file, dir, strconv.Itoa(texts), strconv.Itoa(length))}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

func (p *peer) close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// alone returns a contender's run that a program of its own is started for, as by a loop of
// commands: its libraries are loaded again for each candidate.
func alone(python, dir string, texts int) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		began := time.Now()
		p, err := startPeer(ctx, python, dir, texts)
		if err != nil {
			return 0, err
		}
		_, err = p.asking("mergekit")(ctx)
		p.close()
		return time.Since(began).Seconds(), err
	}
}

// asking returns a contender's run: what the peer measured of a thing to do.
func (p *peer) asking(what string) func(context.Context) (float64, error) {
	return func(context.Context) (float64, error) {
		if _, err := fmt.Fprintln(p.in, what); err != nil {
			return 0, err
		}
		line, err := p.out.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("%s ended: %w", p.cmd.Path, err)
		}
		return strconv.ParseFloat(strings.TrimSpace(line), 64)
	}
}
