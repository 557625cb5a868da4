// Package runs keeps a search on disk, so that it can be watched, stopped,
// killed and continued.
//
// A run is a directory: run.db, the truth, one SQLite transaction a generation;
// best.yaml and other results, which the caller writes with WriteFile; log.jsonl,
// for people; lock, which names the process that holds the run.
//
// Create begins a run, Open takes one up again, Read looks at one which may be
// in use or on a read-only disk, List finds them. What evolve.Run yields goes in
// by Append; Resume gives back the optimizer's state, the totals at that moment
// and the scores known since, from which evolve.Run goes on to the same
// trajectory.
//
// Numbers come back bit for bit, NaN payloads and negative zeros included. Rows
// carry checksums, as SQLite's pages have none: damage is an error and never
// another run.
package runs
