package runs

// application marks run.db in the header of the file ("mgvo"): a SQLite database
// of another program is not taken for a damaged run.
const application = 0x6d67766f

// schema of format 1. The columns value and tie are for ordering and for people:
// NULL where a candidate failed, -Inf for a tie which is NaN. What counts is
// score, the bits of both.
//
// generations has running totals, so that nothing needs to count candidates;
// last is the highest candidate ID by then.
const schema = `
CREATE TABLE run (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	manifest TEXT NOT NULL,
	recipe   TEXT NOT NULL,
	sum      INTEGER NOT NULL
);
CREATE TABLE notes (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE items (
	id       INTEGER PRIMARY KEY,
	key      BLOB UNIQUE,
	count    INTEGER NOT NULL,
	encoding INTEGER NOT NULL,
	data     BLOB NOT NULL,
	sum      INTEGER NOT NULL
);
CREATE TABLE candidates (
	id         INTEGER PRIMARY KEY,
	generation INTEGER NOT NULL,
	failed     INTEGER NOT NULL,
	value      REAL,
	tie        REAL,
	error      TEXT,
	score      BLOB NOT NULL,
	genome     BLOB NOT NULL,
	parents    BLOB NOT NULL,
	tasks      BLOB NOT NULL,
	outputs    BLOB NOT NULL,
	items      INTEGER REFERENCES items (id),
	sum        INTEGER NOT NULL
);
CREATE INDEX best ON candidates (failed, value DESC, tie DESC, id);
CREATE TABLE generations (
	id          INTEGER PRIMARY KEY,
	told        INTEGER NOT NULL,
	last        INTEGER NOT NULL,
	evaluations INTEGER NOT NULL,
	failed      INTEGER NOT NULL,
	best        INTEGER REFERENCES candidates (id),
	sum         INTEGER NOT NULL
);
CREATE TABLE snapshots (
	generation INTEGER PRIMARY KEY REFERENCES generations (id),
	state      BLOB NOT NULL,
	sum        INTEGER NOT NULL
);
`
