package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// eventsCommand checks that a file or stdout is JSON, an object a line with "event"
// as its first key, and that these events came, in this order, with any number of
// repeats: events stdout plan parents generation stopped report.
func eventsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: events file event...")
	}
	var came []string
	for i, line := range strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n") {
		var e struct{ Event string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			ts.Fatalf("line %d is not JSON: %v: %s", i+1, err, line)
		}
		if e.Event == "" || !strings.HasPrefix(line, fmt.Sprintf(`{"event":%q`, e.Event)) {
			ts.Fatalf("line %d does not begin with its event: %s", i+1, line)
		}
		if len(came) == 0 || came[len(came)-1] != e.Event {
			came = append(came, e.Event)
		}
	}
	if want := args[1:]; !slices.Equal(came, want) {
		ts.Fatalf("the events are %v, not %v", came, want)
	}
}

// sameScoresCommand compares the last entry of the last table in each of two files
// of events, digit for digit: the model found, and that model scored again.
func sameScoresCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samescores file file")
	}
	a, b := lastScores(ts, args[0]), lastScores(ts, args[1])
	if !maps.Equal(a, b) {
		ts.Fatalf("the scores differ:\n%s: %v\n%s: %v", args[0], a, args[1], b)
	}
}

// lastScores returns the numbers as they are written, by part and by task.
func lastScores(ts *testscript.TestScript, file string) map[string]string {
	scores := map[string]string{}
	for line := range strings.Lines(ts.ReadFile(file)) {
		var table struct {
			Entries []struct {
				Parts map[string]json.RawMessage
				Tasks map[string]json.RawMessage
			}
		}
		ts.Check(json.Unmarshal([]byte(line), &table))
		if len(table.Entries) == 0 {
			continue
		}
		last := table.Entries[len(table.Entries)-1]
		clear(scores)
		for k, v := range last.Parts {
			scores[k] = string(v)
		}
		for k, v := range last.Tasks {
			scores[k] = string(v)
		}
	}
	if len(scores) == 0 {
		ts.Fatalf("%s has no table of scores", file)
	}
	return scores
}
