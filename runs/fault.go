package runs

import (
	"os"
	"strconv"
	"sync/atomic"
)

// fault is nil but in tests. It is called before and after each durable step; an
// error ends the operation there, as if the process had been killed.
var fault func(op, path string) error

// durable does one step after which the disk differs: create, write, fsync,
// rename or commit.
func durable(op, path string, step func() error) error {
	if fault == nil {
		return step()
	}
	if err := fault("before "+op, path); err != nil {
		return err
	}
	if err := step(); err != nil {
		return err
	}
	return fault("after "+op, path)
}

// MERGEVO_TEST_FAULT=n ends the process at the n-th call of fault, as kill -9
// would. It is for tests of the command, is undocumented and may go.
func init() {
	n, err := strconv.ParseInt(os.Getenv("MERGEVO_TEST_FAULT"), 10, 64)
	if err != nil || n <= 0 {
		return
	}
	var calls atomic.Int64
	fault = func(string, string) error {
		if calls.Add(1) == n {
			os.Exit(137)
		}
		return nil
	}
}
