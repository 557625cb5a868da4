package runs

import (
	"encoding/json"
	"slices"
	"time"
)

// Format is the version of run.db which this program writes, and the newest it
// reads. It is the file's PRAGMA user_version too.
const Format = 1

// Manifest is what is fixed when a run begins.
type Manifest struct {
	// Format is the run's version; Create sets it.
	Format int `json:"format"`

	// Version is the program's.
	Version string `json:"version"`

	// Created is when the run began; zero means now.
	Created time.Time `json:"created"`

	// Recipe is the search recipe as resolved, RecipePath where it came from.
	Recipe     []byte `json:"recipe,omitempty"`
	RecipePath string `json:"recipe_path"`

	// Settings are the optimizer's and the run's, defaults resolved.
	Settings json.RawMessage `json:"settings,omitempty"`

	// Genes are the names of the genome's numbers.
	Genes []string `json:"genes,omitempty"`

	// Tasks is the layout of Items: the examples of task after task.
	Tasks []Task `json:"tasks,omitempty"`

	Parents []Parent `json:"parents,omitempty"`

	// Identity is what the bits of a score depend on beside the recipe: backend,
	// plugin digest, device, threads, plan. A resume which differs in any is not
	// promised to give the same trajectory.
	Identity map[string]string `json:"identity,omitempty"`
}

// Task is a run of examples in Items.
type Task struct {
	Name     string `json:"name"`
	Examples int    `json:"examples"`
}

// Parent is a model that is merged: as the recipe calls it, where it was found,
// and the digest by which it is known if it moves.
type Parent struct {
	Ref    string `json:"ref"`
	Path   string `json:"path"`
	Digest string `json:"digest"`
}

// encode splits m into JSON and the recipe, which has a column of its own: as
// base64 nobody could read it with the sqlite3 shell.
func (m Manifest) encode() (manifest, recipe []byte, err error) {
	recipe, m.Recipe = m.Recipe, nil
	manifest, err = json.Marshal(m)
	return manifest, recipe, err
}

func decodeManifest(manifest, recipe []byte, sum uint32) (Manifest, error) {
	if checksum(manifest, recipe) != sum {
		return Manifest{}, damaged("the manifest's checksum differs")
	}
	var m Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return Manifest{}, damaged("manifest: %v", err)
	}
	if len(recipe) > 0 {
		m.Recipe = slices.Clone(recipe)
	}
	return m, nil
}
