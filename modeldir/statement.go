package modeldir

import (
	"strings"
)

// Statement is what the front matter of a model's README.md states about it. What
// is missing, or written in a way that cannot be read, is empty.
type Statement struct {
	License     string // such as apache-2.0, in lower case
	LicenseName string // where License is other
	LicenseLink string // a URL, or a file's name in the model's repository
	BaseModels  []string
	Tags        []string
}

// maxFront bounds the part of a README.md that is read, in bytes.
const maxFront = 1 << 20

// ParseStatement reads the front matter of a card. It never fails, because a merge
// should not for want of a licence: keys at the left margin are read, with a value,
// a list in brackets or a list of dashes, which is how cards are written; all other
// YAML is passed over.
func ParseStatement(card []byte) Statement {
	var s Statement
	text := strings.ReplaceAll(strings.TrimPrefix(string(card), "\uFEFF"), "\r\n", "\n")
	text, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return s
	}
	lines := strings.Split(text, "\n")
	end := -1
	for i, line := range lines {
		if strings.TrimRight(line, " \t") == "---" {
			end = i
			break
		}
	}
	open := end // where to stop looking for the end of a list
	for i := 0; i < end; i++ {
		key, rest, found := strings.Cut(lines[i], ":")
		if !found || key != strings.TrimSpace(key) {
			continue
		}
		rest = strings.TrimSpace(rest)
		var list []string
		switch {
		case strings.HasPrefix(rest, "["):
			last := i
			for last < open && !strings.Contains(lines[last], "]") {
				last++
			}
			if last >= open {
				// No later line closes a list either: this is not looked for again.
				open = 0
				continue
			}
			inner, _, _ := strings.Cut(strings.Join(append([]string{rest[1:]}, lines[i+1:last+1]...), " "), "]")
			for item := range strings.SplitSeq(inner, ",") {
				list = append(list, plain(item))
			}
			i = last
		case rest == "" || strings.HasPrefix(rest, "#"):
			for i+1 < end {
				item := strings.TrimSpace(lines[i+1])
				if item != "-" && !strings.HasPrefix(item, "- ") {
					break
				}
				list = append(list, plain(item[1:]))
				i++
			}
		case strings.IndexByte("|>&*!{", rest[0]) >= 0:
		default:
			list = []string{plain(rest)}
		}
		s.state(key, list)
	}
	return s
}

func (s *Statement) state(key string, list []string) {
	var kept []string
	for _, item := range list {
		if item != "" && item != "null" && item != "~" {
			kept = append(kept, item)
		}
	}
	only := ""
	if len(kept) == 1 {
		only = kept[0]
	}
	switch key {
	case "license":
		s.License = strings.ToLower(only)
	case "license_name":
		s.LicenseName = only
	case "license_link":
		s.LicenseLink = only
	case "base_model":
		s.BaseModels = kept
	case "tags":
		s.Tags = kept
	}
}

// plain takes quotes and comments off a scalar.
func plain(s string) string {
	s = strings.TrimSpace(s)
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if inner, _, ok := strings.Cut(s[1:], s[:1]); ok {
			return inner
		}
		return ""
	}
	s, _, _ = strings.Cut(s, " #")
	return strings.TrimSpace(s)
}
