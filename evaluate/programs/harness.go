package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/evaluate/completions"
)

// Harness asks EleutherAI's lm-evaluation-harness, the user's own, of 0.4.3 or later: the
// candidate stays on the device and is served to it, and what it says of each example is
// read from the samples that it writes.
type Harness struct {
	// Command begins the command line, as lm_eval alone; Args end it.
	Command, Args []string
	Dir           string
	Timeout       time.Duration
	// Tasks are the harness's names, of tasks or groups. Limit and FewShot are its
	// options, 0 and nil for the tasks' own.
	Tasks   []string
	Limit   int
	FewShot *int
	// Metric is the metric, such as acc or "exact_match,strict-match"; "" is the first
	// that a task reports.
	Metric string
	// MaxLength is the longest sequence in tokens.
	MaxLength int
	// Tokenizer writes the candidates' config and tokenizer into a folder, for the
	// harness to read.
	Tokenizer func(dir string) error
	Host      *evaluate.Host
	Scratch   *Scratch
	Seed      uint64
	ID        string
}

// Identity implements Asker.
func (h *Harness) Identity() string { return h.ID }

// harnessBatch is how many prompts the harness sends at once: a device call takes more,
// and Args may say so.
const harnessBatch = 16

// longestByDefault is the harness's own longest sequence for models that are served.
const longestByDefault = 2048

// Argv is the command line for a candidate that is served at an address; its tokenizer
// and the harness's output are in folders.
func (h *Harness) Argv(address, tokenizer, output string) []string {
	longest := h.MaxLength
	if longest == 0 {
		longest = longestByDefault
	}
	if h.Host != nil {
		if p := h.Host.Positions(); p > 0 {
			longest = min(longest, p)
		}
	}
	special := ""
	if h.Host != nil && len(h.Host.Tokenizer().Encode("")) > 0 && !slices.Contains(h.Args, "--apply_chat_template") {
		// Served models get no special tokens by default, those of --model hf the tokenizer's;
		// chat templates have them in their text.
		special = ",add_bos_token=True"
	}
	argv := append([]string{}, h.Command...)
	argv = append(argv, "--model", "local-completions", "--model_args",
		fmt.Sprintf("model=mergevo,base_url=%s,tokenizer=%s,tokenizer_backend=huggingface,tokenized_requests=True,num_concurrent=1,max_retries=1,timeout=%d,max_length=%d%s",
			address, tokenizer, int(h.Timeout.Seconds()), longest+1, special), // of which it keeps one for itself
		"--tasks", strings.Join(h.Tasks, ","), "--batch_size", fmt.Sprint(harnessBatch), "--output_path", output, "--log_samples")
	if h.Limit > 0 {
		argv = append(argv, "--limit", fmt.Sprint(h.Limit))
	}
	if h.FewShot != nil {
		argv = append(argv, "--num_fewshot", fmt.Sprint(*h.FewShot))
	}
	return append(argv, h.Args...)
}

// Ask implements Asker. The part is not told: the harness's tasks have their own examples.
func (h *Harness) Ask(ctx context.Context, c Candidate, _ evaluate.Part) (a Answer, err error) {
	held, err := h.Host.Hold(ctx, c.Spec)
	if err != nil {
		return nil, err
	}
	defer held.Free()
	if err := h.Scratch.Empty(); err != nil {
		return nil, err
	}
	tokenizer, out := filepath.Join(h.Scratch.dir, "tokenizer"), filepath.Join(h.Scratch.dir, "output")
	if strings.Contains(tokenizer, ",") {
		return nil, fmt.Errorf("lm_eval reads no path with a comma: %s", tokenizer)
	}
	if err := h.Tokenizer(tokenizer); err != nil {
		return nil, err
	}
	server, err := completions.Serve(ctx, held, h.Host.Tokenizer())
	if err != nil {
		return nil, err
	}
	defer server.Close()
	cmd := Command{Dir: h.Dir, Timeout: h.Timeout, Argv: h.Argv(server.Address(), tokenizer, out),
		Env: []string{"OPENAI_API_KEY=none", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"}}
	if _, err := cmd.Run(ctx); err != nil {
		if _, cause := server.Served(); cause != nil && evaluate.IsFailure(err) {
			err = evaluate.Failed("serving the candidate: %w; %w", cause, err)
		}
		return nil, err
	}
	if n, _ := server.Served(); n == 0 {
		return nil, evaluate.Failed("%s asked the candidate nothing: its answers would be of another model, or of a cache", h.Command[0])
	}
	a, err = readHarness(out, h.Tasks, h.Metric)
	if errors.Is(err, os.ErrNotExist) {
		return nil, evaluate.Failed("%s wrote no results: %w", h.Command[0], err)
	}
	return a, err
}
