package recipes

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// checkWords refuses text that the YAML parser reads as something other readers
// do not: tabs it drops from words, brackets without a partner, colons without a
// space. A recipe must not mean one thing here and another in mergekit.
func checkWords(src *source, tokens token.Tokens) *Error {
	depth, line := 0, 0
	for _, tk := range tokens {
		p := at(src, tk)
		if p.line > line && p.line <= len(src.lines) && tk.Type != token.CommentType {
			text := src.lines[p.line-1]
			if strings.Contains(text[:len(text)-len(strings.TrimLeft(text, " \t"))], "\t") {
				return p.fail(spacesNotTabs, "a tab in the indentation")
			}
		}
		line = max(line, p.line)
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if depth > 0 {
				return p.fail("is a bracket not closed?", "a list with dashes inside brackets")
			}
		case token.MappingValueType:
			if depth > 0 && joined(tk) {
				return p.fail("a colon that belongs to a word needs quotes around the word", "put a space after the colon")
			}
		}
		if !plainWord(tk) {
			continue
		}
		body := strings.TrimSpace(tk.Origin)
		switch {
		case strings.Contains(body, "\t"):
			return p.fail(`write it as "\t" in double quotes`, "a tab inside a word")
		case depth > 0 && strings.ContainsAny(body, "[]{}"):
			return p.fail("is a bracket missing, or one too many? else quote the word", "a bracket inside a word")
		case strings.Contains(body, ": ") || body != "" && strings.ContainsRune("%,]}", rune(body[0])) || depth > 0 && (strings.HasSuffix(body, ":") || strings.HasPrefix(body, ":")):
			return p.fail("is a comma or a quote missing? else quote the word", "punctuation inside a word")
		case strings.Contains(body, "\n") && tk.Next != nil && tk.Next.Type == token.MappingValueType:
			return p.fail("is a comma or a colon missing?", "a key that runs over lines")
		}
	}
	return nil
}

const spacesNotTabs = "YAML is indented with spaces, not tabs"

// joined reports whether a colon stands between two words without a space, and
// not after a quote, where YAML allows that.
func joined(colon *token.Token) bool {
	prev, next := colon.Prev, colon.Next
	if prev == nil || next == nil || isQuoted(prev) || next.Position == nil {
		return false
	}
	switch next.Type {
	case token.CollectEntryType, token.MappingEndType, token.SequenceEndType:
		return false
	}
	return next.Position.Line == colon.Position.Line && next.Position.Column == colon.Position.Column+1
}

// plainWord reports whether a token is a word without quotes.
func plainWord(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
	default:
		return false
	}
	return tk.Prev == nil || tk.Prev.Type != token.LiteralType && tk.Prev.Type != token.FoldedType
}
