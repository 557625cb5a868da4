package tensors_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

const journalHead = `{"partial":1,"identity":"a","layout":"b","began":"2026-01-02T03:04:05Z"}` + "\n"

func TestParseJournal(t *testing.T) {
	for _, test := range []struct {
		name, text string
		shards     []string
		err        string
	}{
		{"begun", journalHead, nil, ""},
		{"two", journalHead + `{"shard":"x","bytes":1}` + "\n" + `{"shard":"y","bytes":2}` + "\n", []string{"x", "y"}, ""},
		{"cut", journalHead + `{"shard":"x","bytes":1}` + "\n" + `{"shard":"y","by`, []string{"x"}, ""},
		{"cut before the newline", journalHead + `{"shard":"x","bytes":1}`, nil, ""},
		{"zeros after a power cut", journalHead + "\x00\x00\x00", nil, ""},
		{"nothing", "", nil, "no first line"},
		{"first line cut", journalHead[:20], nil, "no first line"},
		{"nonsense", "nonsense\n", nil, "line 1: "},
		{"empty object", "{}\n", nil, "line 1: format 0"},
		{"newer", strings.Replace(journalHead, ":1,", ":2,", 1), nil, "line 1: format 2, where this program knows 1"},
		{"no identity", strings.Replace(journalHead, `"a"`, `""`, 1), nil, "line 1: it does not say of what"},
		{"unknown key", strings.Replace(journalHead, "began", "begun", 1), nil, "line 1: "},
		{"bad middle", journalHead + "nonsense\n" + `{"shard":"x","bytes":1}` + "\n", nil, "line 2: "},
		{"two on a line", journalHead + `{"shard":"x","bytes":1}{"shard":"y","bytes":1}` + "\n", nil, "line 2: more than one object"},
		{"no shard", journalHead + "{}\n", nil, "line 2: it names no shard"},
		{"no bytes", journalHead + `{"shard":"x","bytes":0}` + "\n", nil, "line 2: it names no shard"},
	} {
		got, err := tensors.ParseJournal([]byte(test.text))
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
		if !slices.Equal(got, test.shards) {
			t.Errorf("%s: shards %q, want %q", test.name, got, test.shards)
		}
	}
}

// No bytes make the parser panic; and of a journal that is one, any beginning with a
// first line is one too, with as many of its shards.
func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(journalHead+`{"shard":"x","bytes":1}`+"\n"+`{"shard":"y","bytes":2}`+"\n"), 80)
	f.Add([]byte("{}\n"), 1)
	f.Add([]byte(journalHead+"\x00"), 3)
	f.Fuzz(func(t *testing.T, raw []byte, cut int) {
		all, err := tensors.ParseJournal(raw)
		first := bytes.IndexByte(raw, '\n') + 1
		if err != nil {
			return
		}
		cut = first + (cut&0x7fffffff)%(len(raw)-first+1)
		got, err := tensors.ParseJournal(raw[:cut])
		if err != nil || len(got) != bytes.Count(raw[first:cut], []byte("\n")) || !slices.Equal(got, all[:len(got)]) {
			t.Errorf("cut at %d of %q: %q, %v; whole: %q", cut, raw, got, err, all)
		}
	})
}
