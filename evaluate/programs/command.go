package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mergevo/mergevo/evaluate"
)

// Command is a program as it is run once: no shell reads its arguments.
type Command struct {
	Argv    []string
	Dir     string
	Timeout time.Duration
	// Stdin is what it reads, nil for nothing. Env are variables besides this process's.
	Stdin []byte
	Env   []string
}

const (
	// most bounds what is read of a program's output, in bytes.
	most = 256 << 20
	// grace is how long a program that is told to end may take to.
	grace = time.Second
	// shownLines of the last shownBytes of stderr are shown of a program that failed.
	shownLines, shownBytes = 5, 4096
)

// Check refuses a command whose program is not there, before any work.
func (c *Command) Check() error {
	_, err := c.find()
	return err
}

// find returns the program's path: a name with a slash is below Dir, others are on PATH.
func (c *Command) find() (string, error) {
	name := c.Argv[0]
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		name = filepath.Join(c.Dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %s cannot be started: %w", name, reason(err))
	}
	return filepath.Abs(path)
}

// reason is an error of package exec without the name, which is said before.
func reason(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return e.Err
	}
	return err
}

// Run runs the program to its end and returns its standard output. All that it started
// ends with it. What it does wrong is a [evaluate.Failure]; an error of another kind is that it
// could not be started, or the context's.
func (c *Command) Run(ctx context.Context) ([]byte, error) {
	path, err := c.find()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, path)
	cmd.Args = c.Argv
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	var out bytes.Buffer
	stderr := &tail{}
	cmd.Stderr = stderr
	bounded := &bounded{to: &out, left: most, over: cancel}
	cmd.Stdout = bounded
	done := group(cmd)
	cmd.WaitDelay = 2 * grace
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the program %s cannot be started: %w", path, reason(err))
	}
	err = cmd.Wait()
	done()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.left < 0:
		return nil, evaluate.Failed("%s wrote more than %d bytes and was ended%s", c.Argv[0], most, stderr)
	case limited.Err() != nil:
		return nil, evaluate.Failed("%s took longer than %v and was ended%s", c.Argv[0], c.Timeout, stderr)
	case errors.Is(err, exec.ErrWaitDelay):
		// It is done; what it started held its output open.
	case err != nil:
		return nil, evaluate.Failed("%s: %s%s", c.Argv[0], err, stderr)
	}
	return out.Bytes(), nil
}

// bounded passes so many bytes on, and says when there are more.
type bounded struct {
	to   io.Writer
	left int
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		b.over()
		return 0, io.ErrShortWrite
	}
	return b.to.Write(p)
}

// tail keeps the last bytes that are written to it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - shownBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}

// String is the last lines, as the end of an error.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.ToValidUTF8(strings.TrimSpace(string(t.last)), "")
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-shownLines):]
	return "; it said last:\n  " + strings.Join(lines, "\n  ")
}
