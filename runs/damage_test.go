package runs_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/runs"
)

// whole makes a run of some generations and returns its directory and database.
func whole(t *testing.T) (dir string, db []byte) {
	r := create(t)
	for i := 1; i <= 30; i++ {
		appendOK(t, r, generation(i))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := os.ReadFile(filepath.Join(r.Dir(), "run.db"))
	if err != nil {
		t.Fatal(err)
	}
	return r.Dir(), db
}

// use does everything with a run and returns the first error; what it returns
// without error must be true.
func use(t *testing.T, open func(string) (*runs.Run, error), dir string) error {
	r, err := open(dir)
	if err != nil {
		return err
	}
	defer r.Close()
	var errs []error
	for c, err := range r.Records() {
		errs = append(errs, err)
		if err == nil && c.ID != 0 && c.Generation > 0 && c.Generation <= 30 {
			if i := int(c.ID-1) % population; c.Genome[0] != generation(c.Generation).Candidates[i].Genome[0] {
				t.Errorf("candidate %d is another", c.ID)
			}
		}
	}
	_, err = r.Best(10)
	errs = append(errs, err)
	_, _, err = r.Record(17)
	errs = append(errs, err)
	_, _, _, err = r.Resume()
	errs = append(errs, err)
	_, err = r.Note("status", new(string))
	errs = append(errs, err)
	return errors.Join(errs...)
}

func TestDamagedDatabase(t *testing.T) {
	dir, good := whole(t)
	path := filepath.Join(dir, "run.db")
	draw := rand.New(rand.NewPCG(7, 7))
	try := func(name string, b []byte, must bool) {
		t.Helper()
		for _, open := range []func(string) (*runs.Run, error){runs.Read, runs.Open} {
			for _, e := range []string{"", "-wal", "-shm", "-journal"} {
				os.Remove(path + e)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			err := use(t, open, dir)
			if must && !errors.Is(err, runs.ErrDamaged) && !errors.Is(err, runs.ErrNotRun) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := runs.List(filepath.Dir(dir)); err != nil {
				t.Errorf("%s: list: %v", name, err)
			}
		}
	}
	try("empty", nil, true)
	try("text", []byte(strings.Repeat("this is no database\n", 500)), true)
	for _, n := range []int{1, 50, 100, 1000, 4096, len(good) / 2, len(good) - 4096, len(good) - 1} {
		try("truncated", good[:n], true)
	}
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		b := slices.Clone(good)
		from := draw.IntN(len(b))
		for i := range min(1+draw.IntN(500), len(b)-from) {
			b[from+i] = byte(draw.Uint32())
		}
		try("random bytes", b, false)
		b = slices.Clone(good)
		for range 20 {
			b[draw.IntN(len(b))] ^= 1 << draw.IntN(8)
		}
		try("flipped bits", b, false)
	}
}

// SQLite has no checksums: what it takes for good is looked at by us.
func TestDamagedRows(t *testing.T) {
	for name, test := range map[string]struct{ sql, want string }{
		"genome":            {"UPDATE candidates SET genome = zeroblob(24) WHERE id = 5", "candidate 5: the run is damaged: its checksum differs"},
		"genome length":     {"UPDATE candidates SET genome = zeroblob(23) WHERE id = 5", "candidate 5"},
		"score":             {"UPDATE candidates SET score = x'00' WHERE id = 5", "candidate 5"},
		"text for a number": {"UPDATE candidates SET generation = 'x' WHERE id = 5", "damaged"},
		"tasks":             {"UPDATE candidates SET tasks = x'ffffffffffffffffff01' WHERE id = 5", "candidate 5"},
		"error":             {"UPDATE candidates SET error = 'x' WHERE id = 5", "candidate 5"},
		"items gone":        {"PRAGMA foreign_keys = 0; DELETE FROM items", "items"},
		"items":             {"UPDATE items SET data = zeroblob(length(data))", "items"},
		"items count":       {"UPDATE items SET count = 1 << 60", "items"},
		"encoding":          {"UPDATE items SET encoding = 3", "items"},
		"both states":       {"UPDATE snapshots SET state = x'00'", "state"},
		"totals":            {"UPDATE generations SET evaluations = 3", "generation 30"},
		"generation":        {"PRAGMA foreign_keys = 0; DELETE FROM generations", "generation 30 is missing"},
		"best":              {"PRAGMA foreign_keys = 0; DELETE FROM candidates", "is missing"},
		"manifest":          {"UPDATE run SET manifest = replace(manifest, 'ties', 'dare')", "manifest's checksum"},
		"no manifest":       {"DELETE FROM run", "no manifest"},
		"table":             {"DROP TABLE notes", "no such table"},
		"newer":             {"PRAGMA user_version = 12", "its format is 12, this one reads up to 1"},
		"negative":          {"PRAGMA user_version = -1", "format -1"},
		"other program":     {"PRAGMA application_id = 1", "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := whole(t)
			db := database(t, dir)
			if _, err := db.Exec(test.sql); err != nil {
				t.Fatal(err)
			}
			db.Close()
			for _, open := range []func(string) (*runs.Run, error){runs.Read, runs.Open} {
				err := use(t, open, dir)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want one with %q", err, test.want)
				}
				if name != "newer" && name != "other program" && !errors.Is(err, runs.ErrDamaged) {
					t.Errorf("%v is no ErrDamaged", err)
				}
			}
		})
	}
}

// With the last state damaged the one before serves.
func TestOlderState(t *testing.T) {
	dir, _ := whole(t)
	db := database(t, dir)
	if n := number(t, db, "SELECT count(*) FROM snapshots"); n != 2 {
		t.Errorf("%d states", n)
	}
	if _, err := db.Exec("UPDATE snapshots SET state = x'00' WHERE generation = 30"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	r, err := runs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var m memory
	for i := 1; i <= 30; i++ {
		g := generation(i)
		if i == 30 {
			g.State = nil
		}
		m.add(g)
	}
	if d := m.diff(t, r); d != "" {
		t.Error(d)
	}
	appendOK(t, r, generation(30)) // the replay
	m.add(generation(30))
	if d := m.diff(t, r); d != "" {
		t.Error(d)
	}
}
