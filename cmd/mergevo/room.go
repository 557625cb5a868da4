package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/merge"
)

// room is how much memory a search may take.
type room struct {
	// device and host are bytes that can be had; math.MaxInt64 where nobody says.
	device, host int64
	// apart says that the device has memory of its own; else there is only the host's.
	apart bool
}

// memoryFlags are what the command line says about memory.
type memoryFlags struct{ limit, place string }

func (m *memoryFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&m.limit, "memory", "", "most memory to take of the device, such as 8GB (default: what is free)")
	c.Flags().StringVar(&m.place, "placement", "auto", "where the parents lie: auto, "+strings.Join(merge.Placements(), ", ")+"; auto is the first that fits")
	complete(c, "placement", append([]string{"auto"}, merge.Placements()...)...)
}

// read is what both flags say to a backend of a kind: the room that there is, and the
// place, nil for auto.
func (m memoryFlags) read(kind string) (r room, forced *merge.Placement, err error) {
	if forced, err = m.forced(); err == nil {
		r, err = m.room(kind)
	}
	return r, forced, err
}

// forced is the place that the flag names, nil for auto.
func (m memoryFlags) forced() (*merge.Placement, error) {
	if m.place == "" || m.place == "auto" {
		return nil, nil
	}
	var p merge.Placement
	if err := p.UnmarshalText([]byte(m.place)); err != nil {
		known := append([]string{"auto"}, merge.Placements()...)
		return nil, usage(fmt.Errorf("--placement %s: want one of %s%s", m.place, strings.Join(known, ", "), meant(m.place, known)))
	}
	return &p, nil
}

// room is what the flag and the system leave to a backend of a kind.
func (m memoryFlags) room(kind string) (room, error) {
	r := room{device: math.MaxInt64, host: freeMemory("/proc/meminfo", "/proc/self/status", "/sys/fs/cgroup"), apart: kind == "xla:cuda"}
	if m.limit != "" {
		n, err := parseSize(m.limit)
		if err != nil {
			return r, usage(fmt.Errorf("--memory: %w", err))
		}
		r.device = n
		return r, nil
	}
	if !r.apart {
		r.device = r.host
	} else if n, ok := freeOnGPU(); ok {
		r.device = n
	}
	return r, nil
}

// freeMemory is the memory that this process can still have: what the system has without
// swapping, within the limits of the process and of its control group.
func freeMemory(meminfo, status, cgroup string) int64 {
	left := int64(math.MaxInt64)
	if n, ok := availableMemory(meminfo); ok {
		left = n
	}
	for _, l := range limits() {
		if used, ok := field(status, l.used); ok {
			left = min(left, max(0, l.most-used))
		}
	}
	if most, ok := number(cgroup + "/memory.max"); ok {
		if used, ok := number(cgroup + "/memory.current"); ok {
			// Pages of files can be had back.
			for _, f := range []string{"inactive_file", "active_file"} {
				n, _ := statistic(cgroup+"/memory.stat", f)
				used -= n
			}
			left = min(left, max(0, most-used))
		}
	}
	return left
}

// processLimit is a limit of the process in bytes, and the field of /proc/self/status
// that counts against it.
type processLimit struct {
	most int64
	used string
}

// availableMemory returns the bytes that can be had without swapping; ok is false
// where the system does not say.
func availableMemory(file string) (bytes int64, ok bool) { return field(file, "MemAvailable") }

// field reads a line such as "MemAvailable:  1024 kB".
func field(file, name string) (bytes int64, ok bool) {
	n, ok := statistic(file, name+":")
	return n << 10, ok
}

// statistic reads the number of a line that begins with a word.
func statistic(file, word string) (n int64, ok bool) {
	f, err := os.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == word {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// number reads a file of one number.
func number(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	return n, err == nil
}

// freeOnGPU asks NVIDIA's driver for the free memory of the first device that this
// process sees: the plugin has no way to ask.
func freeOnGPU() (int64, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	args := []string{"--query-gpu=memory.free", "--format=csv,noheader,nounits"}
	if first, _, _ := strings.Cut(os.Getenv("CUDA_VISIBLE_DEVICES"), ","); first != "" {
		args = append(args, "--id="+first)
	}
	out, err := exec.CommandContext(ctx, "nvidia-smi", args...).Output()
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(out), "\n")
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return n << 20, err == nil
}
