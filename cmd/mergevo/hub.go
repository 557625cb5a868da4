package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mergevo/mergevo/hub"
	"github.com/mergevo/mergevo/recipes"
)

// downloads bring models of the Hub to this machine.
type downloads struct {
	client  *hub.Client
	headers bool // configurations and headers alone, for what reads no weight
	err     io.Writer
	quiet   bool
}

// addOffline adds the --offline flag.
func addOffline(c *cobra.Command, offline *bool) {
	c.Flags().BoolVar(offline, "offline", false, "take models of the Hub from the cache alone")
}

// wholeModels fetch models with their weights.
func wholeModels(c *cobra.Command, offline, quiet bool) *downloads {
	client := hub.FromEnvironment()
	client.Offline = client.Offline || offline || os.Getenv("MERGEVO_OFFLINE") != ""
	return &downloads{client: client, err: c.ErrOrStderr(), quiet: quiet}
}

// headersOnly fetch what describes models, and no weight.
func headersOnly(c *cobra.Command, offline bool) *downloads {
	d := wholeModels(c, offline, true)
	d.headers = true
	return d
}

// bring fetches a model that is not in the cache.
func (d *downloads) bring(ctx context.Context, ref hub.Ref) (located, error) {
	if d.headers {
		dir, commit, err := d.client.Peek(ctx, ref)
		_, whole := hub.Cached(dir)
		return located{path: dir, hub: hub.Ref{ID: ref.ID, Revision: commit}, hollow: !whole}, err
	}
	var progress *bar
	dir, commit, err := d.client.Fetch(ctx, ref, func(file string, done, total int64) {
		if progress == nil {
			progress = newBar(d.err, total, done, size, d.quiet)
		}
		progress.grow(total)
		progress.set(done, ref.ID+"/"+file)
	})
	if progress != nil {
		progress.finish()
	}
	return located{path: dir, hub: hub.Ref{ID: ref.ID, Revision: commit}}, err
}

// pinCommits says in a recipe's provenance which commits its models are.
func (o *opened) pinCommits(r *recipes.Recipe) error {
	commits := o.commits()
	if len(commits) == 0 {
		return nil
	}
	text, err := json.Marshal(commits)
	if err != nil {
		return err
	}
	return r.Set("provenance.commits", string(text))
}

// commits are those of the models and adapters that the recipe names by their ids.
func (o *opened) commits() map[string]string {
	out := map[string]string{}
	for _, m := range o.models {
		base, adapter := m.parts()
		m.at.commit(base, out)
		m.lora.commit(adapter, out)
	}
	return out
}

func (l located) commit(ref string, into map[string]string) {
	if id, ok := hub.ParseRef(ref); ok && id.ID == l.hub.ID {
		into[ref] = l.hub.Revision
	}
}
