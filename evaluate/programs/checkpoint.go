package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/merge"
)

// Scratch is a folder in which a candidate is written for programs.
type Scratch struct {
	dir   string
	write func(ctx context.Context, s *merge.Spec, dir string) error
	spec  *merge.Spec // of what lies in it
}

// NewScratch takes a folder of its own, which it empties. write writes a candidate.
func NewScratch(dir string, write func(ctx context.Context, s *merge.Spec, dir string) error) (*Scratch, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return &Scratch{dir: dir, write: write}, os.MkdirAll(dir, 0o700)
}

// model is the folder of a candidate, written unless it lies there already.
func (s *Scratch) model(ctx context.Context, spec *merge.Spec) (string, error) {
	path := filepath.Join(s.dir, "model")
	if s.spec == spec {
		return path, nil
	}
	if err := s.Empty(); err != nil {
		return "", err
	}
	if err := s.write(ctx, spec, path); err != nil {
		return "", err
	}
	s.spec = spec
	return path, nil
}

// Empty removes what lies in the folder, whatever programs put there.
func (s *Scratch) Empty() error {
	s.spec = nil
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(s.dir, 0o700)
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, e.Name())))
	}
	return err
}

// Remove removes the folder.
func (s *Scratch) Remove() error { return os.RemoveAll(s.dir) }

// OnCheckpoint asks a program that reads a checkpoint.
type OnCheckpoint struct {
	// Argv gives the program and its arguments with their placeholders' values.
	Argv func(values map[string]string) []string
	// Output says that the program answers in a file, not on its standard output.
	Output  bool
	Dir     string
	Timeout time.Duration
	Scratch *Scratch
	Task    string
	Seed    uint64
	Parts   []string
	// ID is the identity.
	ID string
}

// Identity implements Asker.
func (o *OnCheckpoint) Identity() string { return o.ID }

// Ask implements Asker.
func (o *OnCheckpoint) Ask(ctx context.Context, c Candidate, part evaluate.Part) (Answer, error) {
	model, err := o.Scratch.model(ctx, c.Spec)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(o.Scratch.dir, "output.json")
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	cmd := Command{Dir: o.Dir, Timeout: o.Timeout, Argv: o.Argv(map[string]string{
		"model": model, "output": out, "part": part.String(), "task": o.Task,
		"candidate": fmt.Sprint(c.Number), "seed": fmt.Sprint(o.Seed),
	})}
	text, err := cmd.Run(ctx)
	if err != nil {
		return nil, err
	}
	if o.Output {
		if text, err = readBounded(out); err != nil {
			return nil, evaluate.Failed("%s wrote no answer to its {output}: %w", cmd.Argv[0], err)
		}
	}
	a, err := ParseAnswer(text, o.Parts)
	if err != nil {
		return nil, evaluate.Failed("%s: %w", cmd.Argv[0], err)
	}
	return a, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return text, err
}
