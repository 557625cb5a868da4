package hub

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/mergevo/mergevo/hub/hubtest"
)

// TestMain lets the test program be the process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("HUB_TEST_FETCH") == "" {
		os.Exit(m.Run())
	}
	if _, _, err := FromEnvironment().Fetch(context.Background(), Ref{ID: id}, nil); err != nil {
		os.Exit(1)
	}
}

// A process is killed in the middle of the weights, while it holds their lock. The
// next one asks for the rest alone.
func TestKilled(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, tiny())
	s.Fail(hubtest.Fault{File: weightsName, Cut: 50_000, Hang: true})
	c := client(t, s)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "HUB_TEST_FETCH=1", "HF_ENDPOINT="+s.URL, "HF_HUB_CACHE="+c.Cache, "HF_HUB_OFFLINE=", "TRANSFORMERS_OFFLINE=", "HF_TOKEN="+hubtest.Token)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	part := weightsBlob(c) + partSuffix
	for end := time.Now().Add(time.Minute); fileSize(part) < 50_000 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the process ended before it was killed")
	}
	if n := fileSize(part); n != 50_000 {
		t.Fatalf("the killed process left %d bytes, want 50000", n)
	}
	// The server notices a moment later, and only then writes its request down.
	for end := time.Now().Add(time.Minute); len(asked(s, weightsName)) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	s.Forget()
	dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, tiny(), wanted)
	if got := asked(s, weightsName); !slices.Equal(got, []string{"bytes=50000-"}) {
		t.Errorf("asked for %q, want the rest after 50000 bytes", got)
	}
}
