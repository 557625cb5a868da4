package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// hand is one process of a crew.
type hand struct {
	crew   *crew
	device string
	cmd    *exec.Cmd // nil: none runs; under the crew's lock
	in     io.Closer
	to     *gob.Encoder
	from   *gob.Decoder
	starts int // in a row that came to nothing
}

// mostStarts is how often a process is started that then scores nothing.
const mostStarts = 3

// start starts the process and waits until it is ready.
func (h *hand) start() error {
	c := h.crew
	cmd := c.command(h.device)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.New("the search is over")
	}
	if err := cmd.Start(); err != nil {
		c.mu.Unlock()
		return fmt.Errorf("starting a process for device %s: %w", h.device, err)
	}
	h.cmd, h.in, h.to, h.from = cmd, in, gob.NewEncoder(in), gob.NewDecoder(out)
	c.mu.Unlock()
	var hello ready
	if err := h.to.Encode(c.setup); err == nil {
		err = h.from.Decode(&hello)
		if err == nil && hello.Failed == "" {
			c.mu.Lock()
			c.hello = hello // all say the same
			c.mu.Unlock()
			return nil
		}
	}
	why := h.end()
	if hello.Failed != "" {
		why = hello.Failed
	}
	return fmt.Errorf("device %s: %s", h.device, why)
}

// serve does errands until the crew closes, or the process cannot be started any more.
func (h *hand) serve() {
	for {
		e := h.crew.take(h)
		if e == nil {
			h.end()
			return
		}
		var r reply
		err := h.to.Encode(e.assignment)
		if err == nil {
			err = h.from.Decode(&r)
		}
		if err == nil {
			h.starts = 0
			e.done <- landing{reply: r}
			continue
		}
		h.crew.died(e, h, h.end())
		for err = h.again(); err != nil; err = h.again() {
			if h.starts >= mostStarts {
				h.crew.lose(err)
				return
			}
		}
	}
}

// again starts the process anew.
func (h *hand) again() error {
	h.starts++
	return h.start()
}

// end ends the process, and says how it ended.
func (h *hand) end() string {
	h.kill()
	err := h.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err.Error()
	}
	return h.cmd.ProcessState.String()
}

// kill ends the process if it is there.
func (h *hand) kill() {
	if h.cmd != nil && h.cmd.Process != nil {
		_ = h.in.Close()
		_ = h.cmd.Process.Kill()
	}
}
