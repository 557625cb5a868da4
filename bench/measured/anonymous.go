package measured

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// PeakAnonymous returns the most anonymous memory that a process has, in MB, looking
// every 10 ms until it has ended; 0 where the system does not tell.
func PeakAnonymous(pid int, ended <-chan struct{}) float64 {
	anonymous, _ := Peaks(pid, ended)
	return anonymous
}

// Peaks returns the most anonymous memory that a process has, and the most that it has of
// mapped files, which the system takes back where it needs room: in MB, looking every 10
// ms until it has ended; 0 where the system does not tell.
func Peaks(pid int, ended <-chan struct{}) (anonymous, mapped float64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return anonymous, mapped
		case <-tick.C:
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue
			}
			for _, f := range []struct {
				name string
				most *float64
			}{{"RssAnon:", &anonymous}, {"RssFile:", &mapped}} {
				if kb, err := Field(string(data), f.name); err == nil {
					*f.most = max(*f.most, kb/1000)
				}
			}
		}
	}
}

// Field returns the number after a name at the beginning of a line.
func Field(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				return strconv.ParseFloat(words[0], 64)
			}
		}
	}
	return 0, errors.New("no " + name)
}
