// Package template renders the chat templates of tokenizers as transformers does: Jinja,
// with the blocks' lines trimmed and what transformers adds to it.
package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
)

// Message is one turn of a conversation.
type Message struct{ Role, Content string }

// Template is a chat template.
type Template struct {
	parsed *exec.Template
	tokens map[string]string // special tokens by name, as templates know them
}

// ErrNone is returned where a tokenizer has no chat template.
var ErrNone = errors.New("the tokenizer has no chat template")

// Load reads the template of a tokenizer's folder: chat_template.jinja, else that in
// tokenizer_config.json.
func Load(dir string) (*Template, error) {
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	var keys map[string]json.RawMessage
	file := filepath.Join(dir, "tokenizer_config.json")
	data, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		_ = json.Unmarshal(data, &keys)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var text string
	if own, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja")); err == nil {
		text = string(own)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if text, err = inConfig(c.Template); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t, err := Parse(text, specialTokens(keys))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return t, nil
}

// inConfig is the template of a tokenizer_config.json: a text, or that called default
// among several.
func inConfig(raw json.RawMessage) (string, error) {
	var text string
	var list []struct{ Name, Template string }
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", ErrNone
	case json.Unmarshal(raw, &text) == nil:
		return text, nil
	case json.Unmarshal(raw, &list) != nil:
		return "", errors.New("chat_template is neither a text nor a list of named ones")
	}
	for _, t := range list {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", fmt.Errorf("%w named default", ErrNone)
}

// specialTokens are the tokens of a config that have names ending in _token: texts, or
// objects with their content.
func specialTokens(keys map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for key, raw := range keys {
		if !strings.HasSuffix(key, "_token") {
			continue
		}
		var text string
		var object struct{ Content string }
		if json.Unmarshal(raw, &text) == nil && text != "" {
			out[key] = text
		} else if json.Unmarshal(raw, &object) == nil && object.Content != "" {
			out[key] = object.Content
		}
	}
	return out
}

// Parse parses a template. tokens are special tokens by their names, such as bos_token.
func Parse(text string, tokens map[string]string) (t *Template, err error) {
	defer recovered(&err)
	c := config.New()
	c.TrimBlocks, c.LeftStripBlocks = true, true
	loader, err := loaders.NewMemoryLoader(map[string]string{"/chat": text})
	if err != nil {
		return nil, err
	}
	parsed, err := exec.NewTemplate("/chat", c, loader, environment())
	if err != nil {
		return nil, fmt.Errorf("the chat template: %w", err)
	}
	return &Template{parsed, tokens}, nil
}

// environment is Jinja's, with what transformers adds.
func environment() *exec.Environment {
	methods := builtins.Methods
	methods.Str = textMethods()
	filters := exec.NewFilterSet(map[string]exec.FilterFunction{"tojson": toJSON})
	return &exec.Environment{
		Filters: exec.NewFilterSet(map[string]exec.FilterFunction{}).Update(builtins.Filters).Update(filters), Tests: builtins.Tests, Methods: methods,
		ControlStructures: builtins.ControlStructures,
		Context:           exec.EmptyContext().Update(builtins.GlobalFunctions),
	}
}

// Render writes a conversation as the model reads it. generate ends it with what begins
// the answer.
func (t *Template) Render(messages []Message, generate bool) (text string, err error) {
	defer recovered(&err)
	turns := make(list, len(messages))
	for i, m := range messages {
		turns[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	var refused error
	values := map[string]any{
		"messages": turns, "add_generation_prompt": generate, "tools": nil, "documents": nil,
		"strftime_now": func(format string) (string, error) { return strftime(time.Now(), format) },
		"raise_exception": func(text string) (string, error) {
			refused = fmt.Errorf("the chat template refuses it: %s", text)
			return "", refused
		},
	}
	for name, token := range t.tokens {
		values[name] = token
	}
	text, err = t.parsed.ExecuteToString(exec.NewContext(values))
	if err != nil && refused != nil {
		return "", refused
	}
	if err != nil {
		return "", fmt.Errorf("the chat template: %w", err)
	}
	return text, nil
}

// recovered turns a panic of the library into an error: templates are anyone's.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the chat template cannot be read: %v", r)
	}
}
