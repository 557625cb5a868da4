package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mergevo/mergevo/tensors"
)

// cutCommand keeps the first bytes of a file: cut file bytes.
func cutCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut file bytes")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// pokeCommand overwrites the first float32 of a checkpoint's data: poke file nan.
func pokeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: poke file value")
	}
	x, err := strconv.ParseFloat(args[1], 32)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at := 8 + binary.LittleEndian.Uint64(b)
	binary.LittleEndian.PutUint32(b[at:], math.Float32bits(float32(x)))
	ts.Check(os.WriteFile(path, b, 0o644))
}

// dropCommand removes a tensor from a checkpoint: drop file tensor.
func dropCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: drop file tensor")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	data := b[8+binary.LittleEndian.Uint64(b):]
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	head := map[string]entry{}
	ts.Check(json.Unmarshal(b[8:len(b)-len(data)], &head))
	delete(head, "__metadata__")
	if _, ok := head[args[1]]; !ok {
		ts.Fatalf("%s has no tensor %s", args[0], args[1])
	}
	delete(head, args[1])
	var kept []byte
	for name, e := range head {
		part := data[e.Offsets[0]:e.Offsets[1]]
		e.Offsets = [2]int{len(kept), len(kept) + len(part)}
		kept, head[name] = append(kept, part...), e
	}
	raw, err := json.Marshal(head)
	ts.Check(err)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(raw)))
	ts.Check(os.WriteFile(path, append(append(out, raw...), kept...), 0o644))
}

// diskCommand mounts a small disk until the script ends: disk folder size.
func diskCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: disk folder size")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(mount(dir, args[1]))
	ts.Defer(func() { _ = exec.Command("umount", dir).Run() })
}

func mount(dir, size string) error {
	return exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", dir).Run()
}

// mountable reports whether we may mount a small disk.
var mountable = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "mergevo-disk-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if err := mount(dir, "64k"); err != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
})

// awaitCommand waits until a file has lines that contain text: await file text 2.
func awaitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await file text count")
	}
	count, err := strconv.Atoi(args[2])
	ts.Check(err)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			ts.Check(err)
		}
		if strings.Count(string(b), args[1]) >= count {
			return
		}
	}
	ts.Fatalf("%s never held %q %d times", args[0], args[1], count)
}

// largeCommand writes a checkpoint of tensors of 1 MiB, one number of which differs
// from the next: large file tensors seed.
func largeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: large file tensors seed")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	layout := make([]tensors.Info, n)
	for i := range layout {
		layout[i] = tensors.Info{Name: fmt.Sprintf("layers.%d.weight", i), DType: tensors.F32, Shape: []int{256, 1024}}
	}
	w, err := tensors.Create("", layout, tensors.Options{Single: ts.MkAbs(args[0])})
	ts.Check(err)
	defer w.Close()
	draws := rand.New(rand.NewPCG(seed, 0))
	values := make([]float32, layout[0].Len())
	for _, t := range layout {
		for i := range values {
			values[i] = draws.Float32() - 0.5
		}
		ts.Check(w.WriteAt(values, t.Name, 0))
	}
	ts.Check(w.Commit())
}
