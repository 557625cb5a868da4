// Package chat asks a language model at an endpoint that speaks OpenAI's protocol:
// llama.cpp's server, vLLM, Ollama and many more.
package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Client asks one model.
type Client struct {
	url     string // of chat/completions
	key     string
	model   string
	timeout time.Duration
	pause   time.Duration // before the second try, twice that before the third
	http    *http.Client
}

// The environment's names, which other programs use too. An endpoint is never taken
// from a recipe: that would let a stranger's file send the key anywhere.
const (
	envURL = "OPENAI_BASE_URL"
	envKey = "OPENAI_API_KEY"
)

// ErrNoEndpoint is returned where the environment names none.
var ErrNoEndpoint = errors.New("no endpoint: set " + envURL + ", such as http://127.0.0.1:8080/v1 (and " + envKey + " if it wants a key)")

// FromEnvironment returns a client of OPENAI_BASE_URL, with OPENAI_API_KEY, for a model
// of the endpoint, "" for its own. Each try may take as long as the timeout.
func FromEnvironment(model string, timeout time.Duration) (*Client, error) {
	base := strings.TrimSpace(os.Getenv(envURL))
	if base == "" {
		return nil, ErrNoEndpoint
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is no address such as http://127.0.0.1:8080/v1", envURL)
	}
	return &Client{url: u.JoinPath("chat", "completions").String(), key: strings.TrimSpace(os.Getenv(envKey)), model: model,
		timeout: timeout, pause: time.Second, http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key goes to no other host
		}}}, nil
}

const (
	tries     = 3
	maxAnswer = 4 << 20
)

// Ask sends a prompt and returns the answer and the tokens that both took, as the
// endpoint counts them, else estimated at four bytes each. It tries three times where
// that may help.
func (c *Client) Ask(ctx context.Context, prompt string) (answer string, tokens int, err error) {
	pause := c.pause
	for try := 1; ; try++ {
		var again bool
		answer, tokens, again, err = c.once(ctx, prompt)
		if err == nil || !again || try == tries || ctx.Err() != nil {
			return answer, tokens, err
		}
		select {
		case <-ctx.Done():
			return "", 0, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type completion struct {
	Choices []struct {
		Message message `json:"message"`
	} `json:"choices"`
	Usage struct {
		Total int `json:"total_tokens"`
	} `json:"usage"`
}

// once also says whether to try again.
func (c *Client) once(ctx context.Context, prompt string) (answer string, tokens int, again bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s", c.timeout))
	defer cancel()
	body, err := json.Marshal(map[string]any{"model": c.model, "messages": []message{{"user", prompt}}, "temperature": 0.7})
	if err != nil {
		return "", 0, false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return "", 0, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return "", 0, true, fmt.Errorf("%s: %w", c.url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", 0, true, fmt.Errorf("%s: %w", c.url, err)
	case resp.StatusCode != http.StatusOK:
		return "", 0, resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500,
			fmt.Errorf("%s: %s: %s", c.url, resp.Status, short(text))
	case len(text) > maxAnswer:
		return "", 0, false, fmt.Errorf("%s: an answer of more than %d bytes", c.url, maxAnswer)
	}
	var got completion
	if err := json.Unmarshal(text, &got); err != nil || len(got.Choices) == 0 {
		return "", 0, false, fmt.Errorf("%s: this is no completion: %s", c.url, short(text))
	}
	answer = got.Choices[0].Message.Content
	if tokens = got.Usage.Total; tokens <= 0 {
		tokens = (len(prompt) + len(answer)) / 4
	}
	return answer, tokens, false, nil
}

// short is the start of a text, on one line.
func short(text []byte) string {
	s := strings.Join(strings.Fields(string(text)), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
