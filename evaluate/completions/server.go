// Package completions serves a candidate that is held on a device at an endpoint which
// speaks OpenAI's completions protocol, as far as programs that evaluate models use it:
// log-probabilities of prompts and greedy completions.
package completions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mergevo/mergevo/evaluate"
	"github.com/mergevo/mergevo/tokenizers/encode"
)

// Candidate is what answers.
type Candidate interface {
	// Score returns what the candidate expects of sequences of ids.
	Score(ctx context.Context, list [][]int32) ([]evaluate.TokenScores, error)
	// Write lets it go on after prompts: at most so many tokens, up to the first stop.
	Write(ctx context.Context, prompts [][]int32, most int, stop []string) ([]string, error)
}

// Server is an endpoint of one candidate on this machine's loopback, at a port and under
// a path that nobody else is told.
type Server struct {
	candidate Candidate
	tok       *encode.Tokenizer
	path      string
	mu        sync.Mutex // the candidate answers one question at a time
	http      *http.Server
	address   string
	served    int
	last      error
}

// Serve begins to serve a candidate.
func Serve(ctx context.Context, c Candidate, tok *encode.Tokenizer) (*Server, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serving on the loopback: %w", err)
	}
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // it never fails
	s := &Server{candidate: c, tok: tok, path: "/" + hex.EncodeToString(secret[:]) + "/v1/completions"}
	s.address = "http://" + l.Addr().String() + s.path
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+s.path, s.complete)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Address is the endpoint's.
func (s *Server) Address() string { return s.address }

// Served is the number of requests that were answered, and Err what the last one that was
// not failed with.
func (s *Server) Served() (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served, s.last
}

// Close ends serving, and waits for the request under way.
func (s *Server) Close() {
	_ = s.http.Close()
	s.mu.Lock()
	s.mu.Unlock() //nolint:staticcheck // the question under way uses the candidate
}

// request is what of the protocol is read. What else a request asks for that would change
// the answer is refused.
type request struct {
	Model            string          `json:"model"`
	Prompt           json.RawMessage `json:"prompt"`
	MaxTokens        *int            `json:"max_tokens"`
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"top_p"`
	N                *int            `json:"n"`
	BestOf           *int            `json:"best_of"`
	Stream           bool            `json:"stream"`
	Echo             bool            `json:"echo"`
	LogProbs         *int            `json:"logprobs"`
	Stop             json.RawMessage `json:"stop"`
	Suffix           *string         `json:"suffix"`
	PresencePenalty  float64         `json:"presence_penalty"`
	FrequencyPenalty float64         `json:"frequency_penalty"`
	LogitBias        map[string]any  `json:"logit_bias"`
}

type choice struct {
	Text         string    `json:"text"`
	Index        int       `json:"index"`
	LogProbs     *logProbs `json:"logprobs"`
	FinishReason string    `json:"finish_reason"`
}

// logProbs are of each token of the text; the first has no number.
type logProbs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogProbs []*float32           `json:"token_logprobs"`
	TopLogProbs   []map[string]float32 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"`
}

const (
	// most bounds a request, in bytes, and mostTokens what it may ask to be written.
	most       = 64 << 20
	mostTokens = 1 << 16
	// byDefault is how many tokens are written where a request does not say, as the
	// protocol has it.
	byDefault = 16
)

var errRequest = errors.New("invalid request")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errRequest, fmt.Errorf(format, args...))
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	var q request
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&q)
	var choices []choice
	tokens := 0
	if err != nil {
		err = invalid("it is not JSON: %w", err)
	} else {
		choices, tokens, err = s.answer(r.Context(), &q)
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		code, kind := http.StatusInternalServerError, "server_error"
		if errors.Is(err, errRequest) {
			code, kind = http.StatusBadRequest, "invalid_request_error"
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": err.Error(), "type": kind}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "cmpl-mergevo", "object": "text_completion", "created": time.Now().Unix(), "model": q.Model, "choices": choices,
		"usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens},
	})
}

// answer answers a request.
func (s *Server) answer(ctx context.Context, q *request) (out []choice, tokens int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if s.served++; err != nil {
			s.served, s.last = s.served-1, err
		}
	}()
	prompts, stop, err := s.read(q)
	if err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err // who asked has gone
	}
	length := byDefault
	if q.MaxTokens != nil {
		length = *q.MaxTokens
	}
	for _, p := range prompts {
		tokens += len(p)
	}
	// One token behind a prompt comes with the prompt's own scores.
	if q.Echo && length <= 1 {
		scores, err := s.candidate.Score(ctx, prompts)
		if err != nil {
			return nil, 0, err
		}
		for i, ids := range prompts {
			if length == 1 {
				ids = append(slices.Clip(ids), scores[i].Next[len(ids)-1])
			}
			out = append(out, s.choice(q, i, ids, &scores[i]))
		}
		return out, tokens, nil
	}
	if q.LogProbs != nil {
		return nil, 0, invalid("logprobs are given of prompts: with echo, and max_tokens 0 or 1")
	}
	texts, err := s.candidate.Write(ctx, prompts, length, stop)
	if err != nil {
		return nil, 0, err
	}
	for i, text := range texts {
		if q.Echo {
			text = s.text(prompts[i]) + text
		}
		out = append(out, choice{Text: text, Index: i, FinishReason: "stop"})
	}
	return out, tokens, nil
}

// choice is a text with the scores of its tokens.
func (s *Server) choice(q *request, i int, ids []int32, t *evaluate.TokenScores) choice {
	c := choice{Text: s.text(ids), Index: i, FinishReason: "length"}
	if q.LogProbs == nil {
		return c
	}
	l := &logProbs{}
	at := 0
	for j := range ids {
		piece := s.piece(ids[j])
		l.Tokens, l.TextOffset = append(l.Tokens, piece), append(l.TextOffset, at)
		at += len([]rune(s.text(ids[j : j+1])))
		if j == 0 {
			l.TokenLogProbs, l.TopLogProbs = append(l.TokenLogProbs, nil), append(l.TopLogProbs, nil)
			continue
		}
		score := t.NextScore[j-1]
		if j < len(t.LogLik) {
			score = t.LogLik[j]
		}
		top := map[string]float32{s.piece(t.Next[j-1]): t.NextScore[j-1]}
		top[piece] = score
		l.TokenLogProbs, l.TopLogProbs = append(l.TokenLogProbs, &score), append(l.TopLogProbs, top)
	}
	c.LogProbs = l
	return c
}

// piece is a token as the vocabulary has it, by which it is told from all others.
func (s *Server) piece(id int32) string {
	if text, ok := s.tok.Token(int(id)); ok {
		return text
	}
	return fmt.Sprintf("<%d>", id) // a row of the embedding without a token
}

func (s *Server) text(ids []int32) string {
	list := make([]int, len(ids))
	for i, id := range ids {
		list[i] = int(id)
	}
	return s.tok.Decode(list, false)
}

// read returns the prompts of a request as ids, and its stops.
func (s *Server) read(q *request) (prompts [][]int32, stop []string, err error) {
	switch {
	case q.Temperature != nil && *q.Temperature != 0:
		return nil, nil, invalid("temperature is %g: completions are greedy, 0", *q.Temperature)
	case q.N != nil && *q.N != 1 || q.BestOf != nil && *q.BestOf != 1:
		return nil, nil, invalid("n and best_of are 1: completions are greedy")
	case q.Stream || q.Suffix != nil || q.PresencePenalty != 0 || q.FrequencyPenalty != 0 || len(q.LogitBias) > 0:
		return nil, nil, invalid("stream, suffix, penalties and logit_bias are not served")
	case q.MaxTokens != nil && (*q.MaxTokens < 0 || *q.MaxTokens > mostTokens) || q.MaxTokens != nil && *q.MaxTokens == 0 && !q.Echo:
		return nil, nil, invalid("max_tokens is %d", *q.MaxTokens)
	case q.LogProbs != nil && *q.LogProbs > 1:
		return nil, nil, invalid("logprobs is %d: the likeliest token is served, 1", *q.LogProbs)
	}
	if len(q.Stop) > 0 && string(q.Stop) != "null" {
		var one string
		if json.Unmarshal(q.Stop, &one) == nil {
			stop = []string{one}
		} else if json.Unmarshal(q.Stop, &stop) != nil {
			return nil, nil, invalid("stop is a text or a list of texts")
		}
		stop = slices.DeleteFunc(stop, func(text string) bool { return text == "" })
	}
	var text string
	var texts []string
	var ids []int32
	switch {
	case json.Unmarshal(q.Prompt, &text) == nil:
		texts = []string{text}
	case json.Unmarshal(q.Prompt, &ids) == nil && len(ids) > 0:
		return [][]int32{ids}, stop, nil
	case json.Unmarshal(q.Prompt, &texts) == nil && len(texts) > 0:
	case json.Unmarshal(q.Prompt, &prompts) == nil && len(prompts) > 0:
		return prompts, stop, nil
	default:
		return nil, nil, invalid("prompt is a text, a list of texts, a list of ids or a list of those")
	}
	for _, text := range texts {
		var ids []int32
		for _, id := range s.tok.Encode(text) {
			ids = append(ids, int32(id))
		}
		prompts = append(prompts, ids)
	}
	return prompts, stop, nil
}
