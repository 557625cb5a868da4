package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is what we keep to on terminals and elsewhere, where words allow it.
const width = 80

// line writes "head        a, b, c", broken between the parts and indented.
func line(w io.Writer, head string, parts ...string) {
	const indent = 12
	text, at := fmt.Sprintf("%-*s", indent, head), indent
	for i, p := range parts {
		if i < len(parts)-1 {
			p += ","
		}
		n := utf8.RuneCountInString(p)
		switch {
		case at > indent && at+1+n > width:
			text, at = text+"\n"+strings.Repeat(" ", indent), indent
		case i > 0:
			text, at = text+" ", at+1
		}
		text, at = text+p, at+n
	}
	fmt.Fprintln(w, text)
}

// some keeps the first parts and counts the others.
func some(parts []string, most int) []string {
	if len(parts) <= most+1 {
		return parts
	}
	return append(parts[:most:most], fmt.Sprintf("%d more", len(parts)-most))
}

// briefly shortens the names of models for people: without the folders that all
// share and the extension, as long as they stay different.
func briefly(refs []string) map[string]string {
	short, taken := map[string]string{}, map[string]bool{}
	shared := 0
	if len(refs) > 0 {
		shared = strings.LastIndex(refs[0], "/") + 1
	}
	for _, r := range refs {
		for shared > 0 && !strings.HasPrefix(r, refs[0][:shared]) {
			shared = strings.LastIndex(refs[0][:shared-1], "/") + 1
		}
	}
	for _, r := range refs {
		short[r] = strings.TrimSuffix(r[shared:], ".safetensors")
		if taken[short[r]] || short[r] == "" {
			return map[string]string{}
		}
		taken[short[r]] = true
	}
	return short
}

// quote writes a path so that a shell reads it back.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// size writes a number of bytes in a unit that suits it.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x, u := float64(n), 0
	for x >= 1000 && u < len(units)-1 {
		x, u = x/1000, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[u])
}
