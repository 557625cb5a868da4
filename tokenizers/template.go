package tokenizers

import (
	"embed"
	"iter"
	"slices"
)

//go:embed templates/*.jinja
var templates embed.FS

// templateNames are the templates that a recipe may name.
var templateNames = []string{"alpaca", "chatml", "exaone", "llama3", "mistral"}

// TemplateNames returns the names that [ChatTemplate] knows, sorted.
func TemplateNames() []string { return slices.Clone(templateNames) }

// ChatTemplate returns the Jinja text of a built-in chat template, and whether
// there is one of that name. They give the formats that the models' makers
// describe; spaces and system messages may differ from mergekit's templates.
func ChatTemplate(name string) (jinja string, known bool) {
	if !slices.Contains(templateNames, name) {
		return "", false
	}
	text, err := templates.ReadFile("templates/" + name + ".jinja")
	return string(text), err == nil
}

// CommonTemplate returns the chat template that most tokenizers have, of equally
// frequent ones the first's, and whether any has one: what a recipe's
// chat_template: auto means. A nil tokenizer has none.
func CommonTemplate(ts []*Tokenizer) (jinja string, ok bool) {
	votes := map[string]int{}
	for text := range owned(ts) {
		votes[text]++
	}
	for text := range owned(ts) {
		if !ok || votes[text] > votes[jinja] {
			jinja, ok = text, true
		}
	}
	return jinja, ok
}

// owned are the templates of those that have one.
func owned(ts []*Tokenizer) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, t := range ts {
			if t == nil {
				continue
			}
			if text, ok := t.ChatTemplate(); ok && !yield(text) {
				return
			}
		}
	}
}

// template reads the value of chat_template: a text, or a list of {name, template}
// of which the one named default counts.
func (c *cursor) template() (*string, error) {
	if c.peek() == '"' {
		text, err := c.str("the chat template")
		return &text, err
	}
	var found *string
	err := c.list("chat_template", func() error {
		var name, text string
		err := c.object("a chat template", func(key string, _ int) (err error) {
			switch key {
			case "name":
				name, err = c.str("the template's name")
			case "template":
				text, err = c.str("the template")
			default:
				err = c.skip()
			}
			return err
		})
		if name == "default" {
			found = &text
		}
		return err
	})
	return found, err
}
