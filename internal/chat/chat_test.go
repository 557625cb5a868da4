package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// endpoint is a server whose answers are handlers in turn, the last for ever.
func endpoint(t *testing.T, answers ...http.HandlerFunc) (c *Client, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(calls.Add(1))
		body, err := io.ReadAll(r.Body) // unread, a client that leaves is not noticed
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv(envURL, s.URL+"/v1")
	t.Setenv(envKey, "secret")
	c, err := FromEnvironment("small", 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c, calls
}

func says(text string, tokens int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"choices": [{"message": {"role": "assistant", "content": %q}}], "usage": {"total_tokens": %d}}`, text, tokens)
	}
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Error(w, text, code) }
}

func TestAsk(t *testing.T) {
	var got struct {
		Model    string
		Messages []message
	}
	c, _ := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s, %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		says("[1]", 12)(w, r)
	})
	answer, tokens, err := c.Ask(t.Context(), "which?")
	if err != nil || answer != "[1]" || tokens != 12 {
		t.Errorf("%q, %d, %v", answer, tokens, err)
	}
	if got.Model != "small" || len(got.Messages) != 1 || got.Messages[0].Content != "which?" {
		t.Errorf("it was asked %+v", got)
	}
}

func TestAskAgain(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, x := range []struct {
		name    string
		answers []http.HandlerFunc
		calls   int
		err     string
	}{
		{"busy, then not", []http.HandlerFunc{status(503, "loading"), status(429, "slow down"), says("x", 0)}, 3, ""},
		{"always busy", []http.HandlerFunc{status(503, "the model is loading")}, 3, "the model is loading"},
		{"a wrong key", []http.HandlerFunc{status(401, "bad key")}, 1, "401 Unauthorized: bad key"},
		{"no completion", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello") }}, 1, "this is no completion: <html>hello"},
		{"another host", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}}, 1, "302 Found"},
		{"too slow", []http.HandlerFunc{slow}, 3, "no answer within 200ms"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, calls := endpoint(t, x.answers...)
			_, tokens, err := c.Ask(t.Context(), strings.Repeat("long ", 40))
			if got := int(calls.Load()); got != x.calls {
				t.Errorf("%d calls, want %d", got, x.calls)
			}
			if x.err == "" && (err != nil || tokens != 50) || x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
				t.Errorf("%d tokens, %v, want %q", tokens, err, x.err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the key is in %q", err)
			}
		})
	}
}

func TestAskInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, calls := endpoint(t, func(http.ResponseWriter, *http.Request) { cancel() })
	c.timeout = time.Minute
	if _, _, err := c.Ask(ctx, "x"); err == nil || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv(envURL, "")
	if _, err := FromEnvironment("", time.Second); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"localhost:8080", "ftp://x", "://", "http://"} {
		t.Setenv(envURL, bad)
		if _, err := FromEnvironment("", time.Second); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
