package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/tokenizers/encode"
)

func newTokenize() *cobra.Command {
	var asJSON, plain, offline bool
	c := &cobra.Command{
		Use:   "tokenize MODEL [TEXT | -]",
		Short: "Show the tokens of a text as a model sees them",
		Long: `Prints a text's token ids and their texts, with the special tokens that the model's
tokenizer puts around it: the ids that Hugging Face's tokenizers gives. MODEL is a
folder with a tokenizer, a tokenizer.json, or a model of the Hub.

Without TEXT, or with -, each line of the input is a text. With --json and - each
line is {"text": ...}, and {"ids": [...]} comes out for it.` + exits(exitFailed, exitUsage, exitInterrupted),
		Example: "  mergevo tokenize ./model \"Hello, world!\"\n  mergevo tokenize ./model --json - < texts.jsonl",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := openTokenizer(c.Context(), args[0], headersOnly(c, offline))
			if err != nil {
				return err
			}
			s := &tokenShow{t: t, json: asJSON, plain: plain, out: bufio.NewWriter(c.OutOrStdout())}
			if len(args) == 2 && args[1] != "-" {
				err = s.show(args[1])
			} else {
				err = s.lines(c.Context(), c.InOrStdin())
			}
			return errors.Join(err, s.out.Flush())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, `print {"ids": [...]}; lines of the input are {"text": ...}`)
	c.Flags().BoolVar(&plain, "no-special", false, "put no special tokens around the text")
	addOffline(c, &offline)
	return c
}

// openTokenizer reads the tokenizer of a folder, a file, or a model of the Hub.
func openTokenizer(ctx context.Context, ref string, models *downloads) (*encode.Tokenizer, error) {
	path := ref
	if _, err := os.Stat(ref); err != nil {
		at, err := (&opening{hub: models}).locate(ctx, ref)
		if err != nil {
			return nil, err
		}
		path = at.path
	} else if filepath.Ext(ref) == ".safetensors" {
		path = filepath.Dir(ref)
	}
	t, err := encode.Load(path)
	if err != nil {
		return nil, usage(err)
	}
	return t, nil
}

// tokenShow prints texts' tokens.
type tokenShow struct {
	t           *encode.Tokenizer
	json, plain bool
	out         *bufio.Writer
}

func (s *tokenShow) show(text string) error {
	ids := s.t.Encode(text)
	if s.plain {
		ids = s.t.Plain(text)
	}
	if s.json {
		if ids == nil {
			ids = []int{}
		}
		return json.NewEncoder(s.out).Encode(map[string]any{"ids": ids})
	}
	for _, id := range ids {
		token, _ := s.t.Token(id)
		if _, err := fmt.Fprintf(s.out, "%d\t%s\n", id, strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(token)); err != nil {
			return err
		}
	}
	return nil
}

// lines shows each line of the input. Lines may be long: a document each.
func (s *tokenShow) lines(ctx context.Context, in io.Reader) error {
	r := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		done := err != nil
		text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if done && text == "" {
			return nil
		}
		if s.json {
			var given struct {
				Text *string `json:"text"`
			}
			if err := json.Unmarshal([]byte(text), &given); err != nil || given.Text == nil {
				return usage(fmt.Errorf(`input line %d: want {"text": "..."}, not %.60q`, n, text))
			}
			text = *given.Text
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n > 1 && !s.json {
			fmt.Fprintln(s.out) // a blank line between texts
		}
		if err := s.show(text); err != nil {
			return err
		}
		if r.Buffered() == 0 { // whoever feeds lines one by one waits for the answer
			if err := s.out.Flush(); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}
