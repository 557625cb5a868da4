package runs

import "testing"

// SetFault calls f before and after each durable step until the test ends.
func SetFault(t testing.TB, f func(op, path string) error) {
	old := fault
	fault = f
	t.Cleanup(func() { fault = old })
}

// SetJournal is the journal mode to be used until the test ends.
func SetJournal(t testing.TB, mode string) {
	old := wanted
	wanted = mode
	t.Cleanup(func() { wanted = old })
}
