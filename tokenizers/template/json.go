package template

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// toJSON is transformers' filter, which escapes no letter that JSON does not have to:
// json.dumps with ensure_ascii=False. Conversations here hold texts; mappings, whose keys
// have an order in Python and none here, are refused.
func toJSON(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	switch {
	case in.IsError():
		return in
	case in.IsString():
		return exec.AsSafeValue(quoted(in.String()))
	case in.IsDict() || in.IsList():
		return exec.AsValue(fmt.Errorf("tojson of %s is not known here", in.String()))
	}
	text, err := json.Marshal(in.Interface())
	if err != nil {
		return exec.AsValue(fmt.Errorf("tojson: %w", err))
	}
	return exec.AsSafeValue(string(text))
}

// quoted writes a text as Python's json does.
func quoted(s string) string {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch e, ok := short[r]; {
		case ok:
			b.WriteString(e)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
