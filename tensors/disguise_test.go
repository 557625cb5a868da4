package tensors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

// Lengths whose first bytes are those of a pickle or a web page are lengths.
func TestHeaderLengthLikeMagic(t *testing.T) {
	for _, n := range []int{0x0280, 0x213c} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			head := `{"__metadata__":{"pad":"`
			head += strings.Repeat("x", n-len(head)-3) + `"}}`
			b := append([]byte{byte(n), byte(n >> 8), 0, 0, 0, 0, 0, 0}, head...)
			path := filepath.Join(t.TempDir(), "model.safetensors")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := tensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}
