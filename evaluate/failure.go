package evaluate

import (
	"errors"
	"fmt"
)

// Failure is an error that is a candidate's own: the run goes on without it.
type Failure struct{ error }

// Unwrap returns the reason.
func (f *Failure) Unwrap() error { return f.error }

// Failed makes a candidate's failure.
func Failed(format string, args ...any) error { return &Failure{fmt.Errorf(format, args...)} }

// IsFailure reports whether an error is a candidate's.
func IsFailure(err error) bool {
	_, ok := errors.AsType[*Failure](err)
	return ok
}
