package runs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockName is the file whose lock is the right to write. It stays behind; the
// operating system frees the lock when the process ends, however it ends.
const lockName = "lock"

// holder is what the lock file says, for the message.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// acquire takes the lock of dir, or says who has it. It tries for a moment, as
// held takes the lock for an instant to look.
func acquire(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockName)
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
	for try := 0; ; try++ {
		ok, err := l.TryLock()
		if err != nil {
			return nil, fmt.Errorf("lock: %w; a run needs a folder that can be written and locked", err)
		}
		if ok {
			break
		}
		if try == 10 {
			return nil, inUse(path)
		}
		time.Sleep(10 * time.Millisecond)
	}
	host, _ := os.Hostname()
	b, err := json.Marshal(holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		// Best effort: without it the lock holds, and the message names nobody.
		_ = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	return l, nil
}

func inUse(path string) error {
	var h holder
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &h) != nil {
		return fmt.Errorf("%w by another process; wait for it or end it", ErrLocked)
	}
	return fmt.Errorf("%w by process %d on %s since %s; wait for it or end it",
		ErrLocked, h.PID, h.Host, h.Since.Local().Format(time.DateTime))
}

// release empties the file, so that it names nobody who is gone.
func release(l *flock.Flock) error {
	_ = os.Truncate(l.Path(), 0)
	return l.Unlock()
}

// held reports whether some process has the lock of dir.
func held(dir string) bool {
	l := flock.New(filepath.Join(dir, lockName), flock.SetFlag(os.O_RDONLY))
	ok, err := l.TryRLock()
	if ok {
		_ = l.Unlock()
	}
	return !ok && err == nil
}
