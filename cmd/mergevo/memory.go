package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// fits refuses a search that cannot fit, with both numbers. On a GPU the device
// says so itself.
func (s *search) fits() error {
	if s.backend.Kind == "xla:cuda" {
		return nil
	}
	have, ok := availableMemory("/proc/meminfo")
	if need := s.peak(); ok && need > have {
		return fmt.Errorf("the search needs about %s of memory and %s are free\nhint: --set search.optimizer.population=%d, a limit on the tasks' examples, or fewer models", size(need), size(have), max(4, s.settings.Population/2))
	}
	return nil
}

// availableMemory returns the bytes that can be had without swapping; ok is false
// where the system does not say.
func availableMemory(file string) (bytes int64, ok bool) {
	f, err := os.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemAvailable:" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
