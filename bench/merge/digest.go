package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
)

// digests measures what checking the models' digests adds to a merge: the first time,
// when they are computed, and later, when the cache has them. All three run in turn.
func (b *bench) digests(ctx context.Context, p *printer, dir string, s family.Shape) error {
	m := methods[1]
	bare, err := m.write(dir, "", timedType)
	if err != nil {
		return err
	}
	sources, err := b.sources(ctx, dir)
	if err != nil {
		return err
	}
	pinned, err := m.write(dir, "-pinned", timedType+sources)
	if err != nil {
		return err
	}
	cache := filepath.Join(b.work, "cache")
	env := []string{"XDG_CACHE_HOME=" + cache}
	var plain, first, cached []float64
	run := func(into *[]float64, recipe string) error {
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
		u, err := b.apply(ctx, dir, recipe, shard(s), env)
		*into = append(*into, u.wall)
		return err
	}
	for range b.rounds {
		if err := os.RemoveAll(cache); err != nil {
			return err
		}
		if err := run(&plain, bare); err != nil {
			return err
		}
		if err := run(&first, pinned); err != nil {
			return err
		}
		if kept, err := filepath.Glob(filepath.Join(cache, "mergevo", "digests", "*.json")); err != nil || len(kept) != len(family.Models) {
			return errors.Join(err, fmt.Errorf("%d digests in %s after a merge that computed %d", len(kept), cache, len(family.Models)))
		}
		if err := run(&cached, pinned); err != nil {
			return err
		}
	}
	p.table(fmt.Sprintf("Digests of the three models (%.2f GB), %s; medians of %d rounds", float64(family.Bytes(s))/1e9, m.name, b.rounds),
		[]string{"recipe", "s", "more than unpinned, s", "all runs"},
		[][]string{
			{"unpinned", middle("%.2f", plain), "", every(plain)},
			{"pinned, first use", middle("%.2f", first), middle("%.2f", less(first, plain)), every(first)},
			{"pinned, cached", middle("%.2f", cached), middle("%.2f", less(cached, plain)), every(cached)},
		})
	return errors.Join(p.failed, b.clean(ctx, dir))
}

// sources is the provenance that pins the family's models to what they are.
func (b *bench) sources(ctx context.Context, dir string) (string, error) {
	text := "provenance:\n  sources:\n"
	for _, m := range family.Models {
		out, err := exec.CommandContext(ctx, b.mergevo, "inspect", "--digest", filepath.Join(dir, m)).Output()
		if err != nil {
			return "", fmt.Errorf("mergevo inspect --digest %s: %w", m, err)
		}
		_, digest, ok := strings.Cut(string(out), "digest: ")
		if !ok {
			return "", fmt.Errorf("mergevo inspect --digest %s printed no digest", m)
		}
		text += fmt.Sprintf("    %s: %q\n", m, strings.TrimSpace(digest))
	}
	return text, nil
}
