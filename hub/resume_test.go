package hub

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mergevo/mergevo/hub/hubtest"
)

const weightsName = "model.safetensors"

func weightsBlob(c *Client) string {
	return filepath.Join(c.Cache, "models--org--tiny", "blobs", hubtest.Digest(weightsName, tiny()[weightsName]))
}

// leave writes what a killed download would.
func leave(t *testing.T, c *Client, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(weightsBlob(c)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(weightsBlob(c)+".incomplete", b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestResume(t *testing.T) {
	whole := tiny()[weightsName]
	size := len(whole)
	wrong := slices.Repeat([]byte{9}, 100)
	for _, test := range []struct {
		name     string
		left     []byte
		faults   []hubtest.Fault
		noRanges bool
		ranges   []string
	}{
		{name: "after a kill", left: whole[:1000], ranges: []string{"bytes=1000-"}},
		{name: "after a kill at the end", left: whole},
		{name: "what was left is wrong", left: wrong, ranges: []string{"bytes=100-", ""}},
		{name: "what was left is too long", left: append(slices.Clone(whole), 1), ranges: []string{""}},
		{name: "cut in the middle", faults: []hubtest.Fault{{Cut: 5000}, {Cut: 70}}, ranges: []string{"", "bytes=5000-", "bytes=5070-"}},
		{name: "cut more often than is tried", faults: []hubtest.Fault{{Cut: 1000, Times: 7}},
			ranges: []string{"", "bytes=1000-", "bytes=2000-", "bytes=3000-", "bytes=4000-", "bytes=5000-", "bytes=6000-", "bytes=7000-"}},
		{name: "a server without ranges", left: whole[:1000], noRanges: true, ranges: []string{""}},
		{name: "busy", left: whole[:10], faults: []hubtest.Fault{{Status: 503}, {Status: 429, Header: http.Header{"Retry-After": {"0"}}}, {Status: 403}},
			ranges: []string{"bytes=10-", "bytes=10-", "bytes=10-", "bytes=10-"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := hubtest.New(t)
			s.Add(id, tiny())
			s.NoRanges = test.noRanges
			c := client(t, s)
			if test.left != nil {
				leave(t, c, test.left)
			}
			for _, f := range test.faults {
				f.File = weightsName
				s.Fail(f)
			}
			var last string
			dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, func(_ string, done, total int64) { last = fmt.Sprint(total - done) })
			if err != nil {
				t.Fatal(err)
			}
			hold(t, dir, tiny(), wanted)
			if got := asked(s, weightsName); !slices.Equal(got, test.ranges) {
				t.Errorf("asked for %q, want %q of %d bytes", got, test.ranges, size)
			}
			if last != "0" {
				t.Errorf("progress ended %s bytes short", last)
			}
			if _, err := os.Stat(weightsBlob(c) + ".incomplete"); err == nil {
				t.Error("the part is still there")
			}
		})
	}
}

func TestStall(t *testing.T) {
	s := hubtest.New(t)
	s.Add(id, tiny())
	s.Fail(hubtest.Fault{File: weightsName, Cut: 4000, Hang: true})
	c := client(t, s)
	c.Stall = 200 * time.Millisecond
	dir, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, tiny(), wanted)
	if got := asked(s, weightsName); !slices.Contains(got, "bytes=4000-") {
		t.Errorf("asked for %q, want the rest after 4000 bytes", got)
	}
}

func TestDamaged(t *testing.T) {
	for _, test := range []struct {
		name, file, digest string
	}{
		{"weights", weightsName, hubtest.Digest("x.safetensors", nil)},
		{"config", "config.json", hubtest.Digest("x.json", []byte("else"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := hubtest.New(t)
			commit := s.Add(id, tiny())
			s.Model(id).Digests[test.file] = test.digest
			c := client(t, s)
			_, _, err := c.Fetch(t.Context(), Ref{ID: id}, nil)
			want := fmt.Sprintf("org/tiny, %s: damaged in transit: its digest is %s and the Hub announced %s; try again, without a proxy or mirror if there is one",
				test.file, hubtest.Digest(test.file, tiny()[test.file]), test.digest)
			if !errors.Is(err, ErrDamaged) || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			dir := filepath.Join(c.Cache, "models--org--tiny")
			for _, path := range []string{filepath.Join(dir, "snapshots", commit, test.file), filepath.Join(dir, "blobs", test.digest), filepath.Join(dir, "blobs", test.digest+".incomplete")} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s was left", path)
				}
			}
			if got := asked(s, test.file); len(got) != 1 {
				t.Errorf("fetched %d times", len(got))
			}
		})
	}
}
