package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/mergevo/mergevo/evaluate"
)

// Scorer scores what a model writes by a program: lines of JSON in, a score a line out.
type Scorer struct {
	// Command is run with the arguments that Argv gives for the placeholders' values.
	Command Command
	Argv    func(values map[string]string) []string
	Task    string
	Seed    uint64
	// Journal, if not nil, keeps the scores, by ID and what was written.
	Journal Journal
	ID      string
}

// Score returns a score for each text.
func (s *Scorer) Score(ctx context.Context, written []evaluate.Written) ([]float64, error) {
	var in bytes.Buffer
	e := json.NewEncoder(&in)
	e.SetEscapeHTML(false)
	for _, w := range written {
		if err := e.Encode(w); err != nil {
			return nil, err
		}
	}
	key := "scorer/" + digestOf(s.ID, in.String())
	var scores []float64
	if s.Journal != nil {
		if ok, err := s.Journal.Note(key, &scores); err != nil || ok {
			return scores, err
		}
	}
	c := s.Command
	c.Stdin, c.Argv = in.Bytes(), s.Argv(map[string]string{"task": s.Task, "seed": fmt.Sprint(s.Seed)})
	text, err := c.Run(ctx)
	if err != nil {
		return nil, err
	}
	if scores, err = parseScores(text, len(written)); err != nil {
		return nil, evaluate.Failed("%s: %w", c.Argv[0], err)
	}
	if s.Journal != nil {
		err = s.Journal.SetNote(key, scores)
	}
	return scores, err
}

// parseScores reads n scores, a line each: a number, or {"score", "index"}.
func parseScores(text []byte, n int) ([]float64, error) {
	scores, have := make([]float64, n), make([]bool, n)
	line := 0
	for _, raw := range bytes.Split(text, []byte("\n")) {
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		var row struct {
			Index *int     `json:"index"`
			Score *float64 `json:"score"`
		}
		var bare float64
		if string(raw) != "null" && json.Unmarshal(raw, &bare) == nil {
			row.Score = &bare
		} else if err := json.Unmarshal(raw, &row); err != nil {
			return nil, evaluate.Failed("line %d is no score: %s", line+1, clipped(raw))
		}
		at := line
		if row.Index != nil {
			at = *row.Index
		}
		switch {
		case row.Score == nil || math.IsInf(*row.Score, 0):
			return nil, evaluate.Failed("line %d has no score: %s", line+1, clipped(raw))
		case at < 0 || at >= n:
			return nil, evaluate.Failed("line %d scores text %d of %d", line+1, at, n)
		case have[at]:
			return nil, evaluate.Failed("line %d scores text %d again", line+1, at)
		}
		scores[at], have[at] = *row.Score, true
		line++
	}
	if line != n {
		return nil, evaluate.Failed("%d scores for %d texts", line, n)
	}
	return scores, nil
}
