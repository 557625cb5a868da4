package hub_test

import (
	"fmt"

	"github.com/mergevo/mergevo/hub"
)

// Tell models on the Hub from paths.
func ExampleParseRef() {
	for _, s := range []string{"org/name", "org/name@v1.0", "./org/name", "gpt2"} {
		ref, ok := hub.ParseRef(s)
		fmt.Printf("%s: %v %q %q\n", s, ok, ref.ID, ref.Revision)
	}
	// Output:
	// org/name: true "org/name" ""
	// org/name@v1.0: true "org/name" "v1.0"
	// ./org/name: false "" ""
	// gpt2: false "" ""
}
