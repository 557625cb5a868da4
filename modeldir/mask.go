package modeldir

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/mergevo/mergevo/hub"
)

// localPath stands where a path would stand that is no model's.
const localPath = "local path"

// mask keeps what is local out of a card.
type mask struct {
	parents []Parent
	names   []string // what each parent is called
	local   int      // how many of them are local
}

func newMask(parents []Parent) *mask {
	m := &mask{parents: parents}
	for _, p := range parents {
		if parseHub(p.Hub) != nil {
			m.names = append(m.names, p.Hub)
			continue
		}
		m.local++
		m.names = append(m.names, fmt.Sprintf("local model %d", m.local))
	}
	return m
}

// name is what a card calls the model or the thing of this name. Reports shorten
// paths to their last element.
func (m *mask) name(s string) string {
	for i, p := range m.parents {
		if s == p.Name || s == p.Hub && p.Hub != "" {
			return m.names[i]
		}
	}
	for i, p := range m.parents {
		if s != "" && s == lastElement(p.Name) {
			return m.names[i]
		}
	}
	return m.public(s, localPath)
}

func lastElement(path string) string {
	path = strings.TrimRight(path, `/\`)
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// public returns a text on one line, or instead of it what to say where a word of
// it may be a path.
func (m *mask) public(s, instead string) string {
	words := strings.Fields(s)
	if len(words) == 0 || slices.ContainsFunc(words, m.hides) {
		return instead
	}
	return strings.Join(words, " ")
}

// Words that are paths without a slash: of a Windows drive, of a home.
var rooted = regexp.MustCompile(`^(?:[A-Za-z]:.+|~[A-Za-z_]?.*[A-Za-z_].*|~|\.\.)$`)

// fraction is a number of a number, as in 412/500.
var fraction = regexp.MustCompile(`^[0-9]+/[0-9]+$`)

// hides reports whether a word may be a path: it has a slash and is neither a
// parent on the Hub nor a web address, or it starts as paths do.
func (m *mask) hides(word string) bool {
	word = strings.Trim(word, "\"'`()[]{}<>,;")
	switch {
	case webLink.MatchString(word):
		return false
	case rooted.MatchString(word):
		return true
	case !strings.ContainsAny(word, `/\`):
		return false
	case fraction.MatchString(word):
		return slices.ContainsFunc(m.parents, func(p Parent) bool { return p.Name == word })
	}
	return !slices.ContainsFunc(m.parents, func(p Parent) bool {
		from := parseHub(p.Hub)
		return from != nil && (word == p.Hub || slices.ContainsFunc(from, func(h hub.Ref) bool { return word == h.ID }))
	})
}

// args spells the arguments of a command; those that may be paths become PATH.
func (m *mask) args(args []string) string {
	var b strings.Builder
	for _, a := range args {
		flag, value, both := strings.Cut(a, "=")
		switch {
		case both && strings.HasPrefix(flag, "-") && !m.hides(flag):
			if m.hides(value) || m.isLocal(value) {
				a = flag + "=PATH"
			}
		case m.hides(a) || m.isLocal(a):
			a = "PATH"
		}
		if a == "" || strings.ContainsAny(a, " \t\r\n\"'`$&|;<>()*?#!\\[]{}~") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		b.WriteString(" " + a)
	}
	return b.String()
}

// isLocal reports whether a word is the name of a local model, whole or its last
// element.
func (m *mask) isLocal(word string) bool {
	return slices.ContainsFunc(m.parents, func(p Parent) bool {
		return parseHub(p.Hub) == nil && word != "" && (word == p.Name || word == lastElement(p.Name))
	})
}

// leftOut are the parts of a recipe that no reader of a card needs, and that name
// files.
var leftOut = regexp.MustCompile(`(?m)^["']?(?:search|provenance)["']?[ \t]*:.*\n?(?:(?:[ \t#}\]].*|-(?:[ \t].*)?)?(?:\n|\z))*`)

// references are the keys of a recipe whose values name a model or a file, even
// where they do not look like a path.
var references = []string{"model", "base_model", "path", "lora", "tokenizer_source", "source", "data", "head", "file", "cache", "out", "name"}

// recipe returns a recipe without its search and provenance, in which local models
// have their public names, and whether that could be done.
func (m *mask) recipe(yaml []byte) (masked []byte, ok bool) {
	// The lexer has panicked on odd input before; a card must not.
	defer func() {
		if recover() != nil {
			masked, ok = nil, false
		}
	}()
	text := strings.ReplaceAll(strings.TrimPrefix(string(yaml), "\uFEFF"), "\r\n", "\n")
	text = strings.TrimRight(leftOut.ReplaceAllString(text, ""), " \t\n")
	if text == "" {
		return nil, false
	}
	tokens := lexer.Tokenize(text)
	var out, check strings.Builder
	for i, t := range tokens {
		check.WriteString(t.Origin)
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.DirectiveType, token.LiteralType, token.FoldedType, token.InvalidType:
			// What they name stands elsewhere, or over several lines.
			return nil, false
		case token.CommentType:
			out.WriteString(strings.Repeat("\n", strings.Count(t.Origin, "\n")))
			continue
		case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.FloatType, token.BoolType,
			token.HexIntegerType, token.OctetIntegerType, token.BinaryIntegerType:
			if to, change := m.scalar(tokens, i); change {
				out.WriteString(dressed(t, to))
				continue
			}
		}
		out.WriteString(t.Origin)
	}
	// What the lexer lost may be anything.
	if strings.TrimRight(check.String(), " \t\n") != text {
		return nil, false
	}
	return []byte(out.String()), true
}

// scalar returns what stands for a scalar of a recipe, and whether it is another.
func (m *mask) scalar(tokens token.Tokens, i int) (string, bool) {
	value := tokens[i].Value
	if i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType {
		// Keys are parameters, tokens or modules; a path is none of them.
		for k, p := range m.parents {
			if value == p.Name && value != m.names[k] && strings.ContainsAny(value, `/\`) {
				return m.names[k], true
			}
		}
		return "", false
	}
	key := ""
	if i >= 2 && tokens[i-1].Type == token.MappingValueType {
		key = tokens[i-2].Value
	}
	switch {
	case key == "token", key == "chat_template" && strings.Contains(value, "{"):
		return "", false
	case strings.HasSuffix(key, "source") && (value == "union" || value == "base"):
		return "", false
	}
	for k, p := range m.parents {
		if value == p.Name && (slices.Contains(references, key) || strings.ContainsAny(value, `/\`)) {
			return m.names[k], m.names[k] != value
		}
	}
	if slices.Contains(references, key) && key != "name" {
		return localPath, true
	}
	if public := m.public(value, localPath); public == localPath {
		return localPath, true
	}
	return "", false
}

// dressed gives a word the white space that stood around another.
func dressed(t *token.Token, word string) string {
	from := len(t.Origin) - len(strings.TrimLeft(t.Origin, " \t\n"))
	to := len(strings.TrimRight(t.Origin, " \t\n"))
	return t.Origin[:from] + yamlText(word) + t.Origin[max(from, to):]
}

// yamlText spells a public name in a recipe: references need no quotes.
func yamlText(s string) string {
	if strings.HasPrefix(s, "local ") || parseHub(s) != nil {
		return s
	}
	return quote(s)
}
