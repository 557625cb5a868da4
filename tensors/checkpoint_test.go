package tensors_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
)

func TestReadAtRanges(t *testing.T) {
	c := open(t, put(t, t.TempDir(), "m.safetensors", file(
		`{"t":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},"i":{"dtype":"I8","shape":[1],"data_offsets":[6,7]},"e":{"dtype":"F32","shape":[0],"data_offsets":[7,7]}}`,
		0x80, 0x3f, 0x00, 0x40, 0x40, 0x40, 9)))
	got := make([]float32, 2)
	if err := c.ReadAt(got, "t", 1); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float32{2, 3}, got); d != "" {
		t.Error(d)
	}
	for _, test := range []struct {
		n    int
		name string
		off  int
		want string
	}{
		{0, "t", 3, ""}, {0, "e", 0, ""},
		{1, "t", 3, "out of range"}, {4, "t", 0, "out of range"}, {1, "t", -1, "out of range"}, {1, "t", math.MaxInt, "out of range"},
		{1, "i", 0, "I8"}, {1, "x", 0, `no such tensor: "x"`},
	} {
		err := c.ReadAt(make([]float32, test.n), test.name, test.off)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("ReadAt(%d, %s, %d) = %v, want %q", test.n, test.name, test.off, err, test.want)
		}
	}
	if _, err := c.Raw("x"); !errors.Is(err, tensors.ErrNoTensor) {
		t.Errorf("Raw of none: %v", err)
	}
	if info, ok := c.Lookup("x"); ok {
		t.Errorf("Lookup of none: %v", info)
	}
	info, ok := c.Lookup("t")
	if d := cmp.Diff(tensors.Info{Name: "t", DType: tensors.BF16, Shape: []int{3}}, info); d != "" || !ok {
		t.Error(d)
	}
}

func TestClosed(t *testing.T) {
	path := put(t, t.TempDir(), "m.safetensors", file(valid[1].header, make([]byte, 16)...))
	c := open(t, path)
	if d := cmp.Diff([]string{path}, c.Files()); d != "" {
		t.Error(d)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, raw := c.Raw("t")
	_, sum := c.Digest(context.Background())
	for _, err := range []error{raw, sum, c.ReadAt(nil, "t", 0)} {
		if !errors.Is(err, tensors.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// A file cut under our feet is an error for every way of reading it.
func TestTruncatedWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut here")
	}
	const n = 1 << 20
	header := fmt.Sprintf(`{"t":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, n, 4*n)
	for name, size := range map[string]int64{"whole pages": 4096, "within the last page": 8 + int64(len(header)) + 4*n - 1, "everything": 0} {
		t.Run(name, func(t *testing.T) {
			path := put(t, t.TempDir(), "m.safetensors", file(header, make([]byte, 4*n)...))
			c := open(t, path)
			if err := os.Truncate(path, size); err != nil {
				t.Fatal(err)
			}
			if err := c.ReadAt(make([]float32, 100), "t", n-100); !errors.Is(err, tensors.ErrChanged) || !strings.Contains(err.Error(), path) {
				t.Errorf("ReadAt: %v", err)
			}
			if _, err := c.Digest(context.Background()); !errors.Is(err, tensors.ErrChanged) {
				t.Errorf("Digest: %v", err)
			}
			if size > 4096 {
				return // no fault: the page is there
			}
			raw, err := c.Raw("t")
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1000)
			if err := c.Guard(func() error { copy(buf, raw[n:]); return nil }); !errors.Is(err, tensors.ErrChanged) {
				t.Errorf("Guard: %v", err)
			}
		})
	}
}

// Guard is for faults in the file: any other panic is a bug and stays one.
func TestGuardPassesBugs(t *testing.T) {
	c := open(t, put(t, t.TempDir(), "m.safetensors", file("{}")))
	want := errors.New("theirs")
	if err := c.Guard(func() error { return want }); err != want {
		t.Errorf("error %v", err)
	}
	for name, bug := range map[string]func() error{
		"nil":   func() error { var p *int; *p = 1; return nil },
		"index": func() error { var s []int; _ = s[os.Getpid()]; return nil },
		"own":   func() error { panic("mine") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Guard swallowed the panic", name)
				}
			}()
			c.Guard(bug)
		}()
	}
}
