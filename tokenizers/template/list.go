package template

import (
	"errors"
	"maps"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// list is a list as Python indexes it: [-1] is the last item, of one item too, which the
// library's own lists do not know.
type list []any

// GetItem implements exec.ItemGetter.
func (l list) GetItem(key any) (*exec.Value, bool) {
	at, ok := key.(int)
	if at < 0 {
		at += len(l)
	}
	if !ok || at < 0 || at >= len(l) {
		return exec.AsValue(nil), false
	}
	return exec.ToValue(l[at]), true
}

// splits are the methods of texts that make lists.
var splits = map[string]exec.Method[string]{
	"split": func(self string, _ *exec.Value, arguments *exec.VarArgs) (any, error) {
		var sep string
		most := -1
		err := arguments.Take(
			exec.PositionalArgument("sep", exec.AsValue(""), exec.StringArgument(&sep)),
			exec.PositionalArgument("maxsplit", exec.AsValue(-1), exec.IntArgument(&most)),
		)
		if err != nil {
			return nil, exec.ErrInvalidCall(err)
		}
		switch {
		case sep != "" && most >= 0:
			return listOf(strings.SplitN(self, sep, most+1)), nil
		case sep != "":
			return listOf(strings.Split(self, sep)), nil
		case most >= 0:
			return nil, errors.New("split with maxsplit needs a separator here")
		}
		return listOf(strings.Fields(self)), nil
	},
	"splitlines": func(self string, _ *exec.Value, arguments *exec.VarArgs) (any, error) {
		if err := arguments.Take(); err != nil {
			return nil, exec.ErrInvalidCall(err)
		}
		lines := strings.Split(strings.ReplaceAll(self, "\r\n", "\n"), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		return listOf(lines), nil
	},
}

// pythons are the names of the methods of Python's texts.
var pythons = strings.Fields(`capitalize casefold center count encode endswith expandtabs find format
	format_map index isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable
	isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex
	rjust rpartition rsplit rstrip strip swapcase title translate upper zfill startswith`)

// textMethods are the library's methods of texts, with those that make lists in the place
// of its own.
func textMethods() *exec.MethodSet[string] {
	all := maps.Clone(splits)
	for _, name := range pythons {
		if m, ok := builtins.Methods.Str.Get(name); ok {
			all[name] = m
		}
	}
	return exec.NewMethodSet(all)
}

func listOf(texts []string) list {
	l := make(list, len(texts))
	for i, t := range texts {
		l[i] = t
	}
	return l
}
