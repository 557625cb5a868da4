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
func PeakAnonymous(pid int, ended <-chan struct{}) (peak float64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return peak
		case <-tick.C:
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				continue
			}
			if kb, err := Field(string(data), "RssAnon:"); err == nil {
				peak = max(peak, kb/1000)
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
