package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/mergevo/mergevo/bench/family"
)

// small is a family with next to nothing to merge.
var small = family.Shape{Hidden: 64, Intermediate: 96, Layers: 1, Vocabulary: 128, Heads: 1, KVHeads: 1}

// idle measures what mergevo and its plugin take whatever the model: the most of
// three runs, since short ones are easily missed between two looks.
func (b *bench) idle(ctx context.Context) error {
	dir := filepath.Join(b.work, "family-small")
	if err := family.Write(ctx, dir, small, 0); err != nil {
		return err
	}
	recipe, err := methods[0].write(dir, "", timedType)
	if err != nil {
		return err
	}
	for range 3 {
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
		u, err := b.apply(ctx, dir, recipe, 0, nil)
		if err != nil {
			return err
		}
		b.base = max(b.base, u.anon)
	}
	return b.clean(ctx, dir)
}

// memorySizes are billions of parameters.
var memorySizes = []float64{0.1, 0.5, 1, 2}

// memory prints the peak at several sizes, on zeros, which take no room as inputs. Zeros take the same paths as numbers but
// one: of ties and breadcrumbs no entries are collected at a cut, which takes up to 32
// MiB a tensor more.
func (b *bench) memory(ctx context.Context, p *printer) error {
	if err := b.idle(ctx); err != nil {
		return err
	}
	head := []string{"method"}
	var rows [][]string
	for _, m := range b.methods {
		rows = append(rows, []string{m.name})
	}
	for _, size := range memorySizes {
		s, err := family.OfSize(size)
		if err != nil {
			return err
		}
		dir := filepath.Join(b.work, fmt.Sprintf("zeros-%g", size))
		if err := family.Sparse(dir, s, shard(s)); err != nil {
			return err
		}
		if err := room(ctx, b.work, 2*int64(s.Parameters())); err != nil {
			return err
		}
		head = append(head, fmt.Sprintf("%.2f B", float64(s.Parameters())/1e9))
		for i, m := range b.methods {
			recipe, err := m.write(dir, "", timedType)
			if err != nil {
				return err
			}
			if err := b.clean(ctx, dir); err != nil {
				return err
			}
			u, err := b.apply(ctx, dir, recipe, shard(s), nil)
			if err != nil {
				return err
			}
			b.note(fmt.Sprintf("%g billion parameters, %s: %.0f MB", size, m.name, u.anon))
			rows[i] = append(rows[i], fmt.Sprintf("%.0f", u.anon))
		}
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
	}
	p.table("Peak anonymous memory of apply on zeros, MB, by parameters", head, rows)
	p.text("\nmergevo with next to nothing to merge: %.0f MB.\n", b.base)
	return p.failed
}
