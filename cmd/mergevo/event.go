package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// event is something a search or a merge reports: a line of JSON for programs, or
// text for people. Both are printed from the same value.
type event interface {
	// name is the value of the "event" key.
	name() string
	// text writes the event for people; events that only move the bar write nothing.
	text(w io.Writer)
}

// voice prints events. Results go to out, talk to err.
type voice struct {
	out, err io.Writer
	json     bool
	log      func(line any) error // nil without a run
}

// tell prints an event where its reader is, and logs it.
func (v *voice) tell(e event) error {
	line, err := withName(e)
	if err != nil {
		return err
	}
	if v.log != nil {
		if err := v.log(json.RawMessage(line)); err != nil {
			return err
		}
	}
	if v.json {
		_, err = fmt.Fprintf(v.out, "%s\n", line)
		return err
	}
	e.text(v.out)
	return nil
}

// say writes talk: what a person reads and no program needs.
func (v *voice) say(format string, args ...any) {
	fmt.Fprintf(v.err, "mergevo: "+format+"\n", args...)
}

// withName marshals an event with its name as the first key.
func withName(e event) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.name(), err)
	}
	head := fmt.Sprintf(`{"event":%q`, e.name())
	if string(body) == "{}" {
		return []byte(head + "}"), nil
	}
	return append([]byte(head+","), body[1:]...), nil
}
