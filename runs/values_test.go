package runs_test

import (
	"database/sql"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/mergevo/mergevo/runs"
)

var (
	// Any bits, with those SQLite would change more often.
	anyFloat = rapid.OneOf(
		rapid.Map(rapid.Uint64(), math.Float64frombits),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.NaN(), math.Inf(1), math.Inf(-1),
			math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xfff8000000000123), 5e-324, 1 << 53}),
	)
	anySingle = rapid.Map(rapid.Uint32(), math.Float32frombits)
	binary    = rapid.SampledFrom([]float32{0, 1})
	anyText   = rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
)

// notEmpty makes empty nil, as which it comes back.
func notEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func anyRecord(t *rapid.T, id uint64) runs.Record {
	c := runs.Record{Generation: 1}
	c.ID = id
	c.Genome = notEmpty(rapid.SliceOf(anyFloat).Draw(t, "genome"))
	c.Parents = notEmpty(rapid.SliceOf(rapid.Uint64()).Draw(t, "parents"))
	c.Value, c.Tie = anyFloat.Draw(t, "value"), anyFloat.Draw(t, "tie")
	item := rapid.SampledFrom([]*rapid.Generator[float32]{anySingle, binary}).Draw(t, "items are")
	c.Items = notEmpty(rapid.SliceOfN(item, 0, 40).Draw(t, "items"))
	if rapid.Bool().Draw(t, "failed") {
		c.Err = errors.New(anyText.Draw(t, "error"))
	}
	c.Tasks = rapid.MapOf(anyText, anyFloat).Draw(t, "tasks")
	if len(c.Tasks) == 0 {
		c.Tasks = nil
	}
	c.Outputs[0] = rapid.ByteMax(2).Draw(t, "outputs")
	return c
}

func TestValuesRoundTrip(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "run")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		r, err := runs.Create(dir, runs.Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		g := runs.Generation{Index: 1, Told: true, State: rapid.SliceOf(rapid.Byte()).Draw(t, "state")}
		for i := range rapid.IntRange(1, 8).Draw(t, "candidates") {
			g.Candidates = append(g.Candidates, anyRecord(t, uint64(i+1)))
		}
		var m memory
		m.add(g)
		for range 2 { // the second time all is compared, and equal
			if err := r.Append(g); err != nil {
				t.Fatal(err)
			}
			if d := m.diff(t, r); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestManifestRoundTrip(t *testing.T) {
	want := runs.Manifest{
		Format: runs.Format, Version: "v1 <&>", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Recipe: []byte("a: \"\xff\x00\"\n"), RecipePath: "dir/it's a #1 recipe?.yaml",
		Settings: []byte(`{"sigma":0.3}`), Genes: []string{"a", "b"},
		Tasks:    []runs.Task{{Name: "sts", Examples: 7}},
		Parents:  []runs.Parent{{Ref: "a", Path: "/models/a", Digest: "sha256:1"}},
		Identity: map[string]string{"backend": "go"},
	}
	dir := filepath.Join(t.TempDir(), "it's a #1 %41 run?", "ä+b")
	r, err := runs.Create(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := cmp.Diff(want, r.Manifest()); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(filepath.Join(dir, "run.db")); err != nil {
		t.Error(err)
	}
	r = reopen(t, r)
	if d := cmp.Diff(want, r.Manifest()); d != "" {
		t.Error(d)
	}
	if _, err := runs.Create(filepath.Join(t.TempDir(), "x"), runs.Manifest{Format: 2}); err == nil {
		t.Error("a format of the future")
	}
	before := time.Now()
	now, err := runs.Create(filepath.Join(t.TempDir(), "x"), runs.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	if now.Manifest().Created.Before(before.Round(0)) {
		t.Error("not made now:", now.Manifest().Created)
	}
}

// database opens r's file for the test, which may do with it what it likes.
func database(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "run.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func number(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestItemsAreStoredOnce(t *testing.T) {
	r := create(t)
	g := runs.Generation{Index: 1, Told: true, State: []byte{1}}
	add := func(outputs byte, items ...float32) {
		var c runs.Record
		c.ID, c.Generation, c.Outputs, c.Items = uint64(len(g.Candidates)+1), 1, [16]byte{outputs}, items
		g.Candidates = append(g.Candidates, c)
	}
	bits := make([]float32, 2800)
	noise := make([]float32, 2800)
	for i := range bits {
		bits[i], noise[i] = float32(i%2), float32(math.Sin(float64(i)))
	}
	add(1, bits...)
	add(1, bits...)
	add(2, noise...)
	add(2, noise...)
	add(2, bits...) // the same predictions with other scores: kept, and exact
	add(0, bits...) // no hash: on its own
	add(0, bits...)
	add(3, float32(math.Copysign(0, -1)), 1) // -0 is no bit
	add(4, 1, 0, 1)
	add(4, 1, 0, 1, 0) // more items in the same byte
	add(5)
	appendOK(t, r, g)
	if d := cmp.Diff(g.Candidates, stored(t, r), exact); d != "" {
		t.Error(d)
	}
	r.Close()
	db := database(t, r.Dir())
	if n := number(t, db, "SELECT count(*) FROM items"); n != 8 {
		t.Errorf("%d rows of items, not 8", n)
	}
	if n := number(t, db, "SELECT max(length(data)) FROM items WHERE encoding = 1"); n != 350 {
		t.Errorf("2,800 bits in %d bytes", n)
	}
	if n := number(t, db, "PRAGMA user_version"); n != 1 {
		t.Errorf("user_version %d", n)
	}
}
