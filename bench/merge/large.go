package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/mergevo/mergevo/bench/family"
)

// limit is the memory that a merge of full-size tensors may take, in KiB of data: all
// that is anonymous, but not what is mapped from files.
const limit = 1_000_000

// large shows merges of 70 billion parameters: the plan of all of them, on headers
// alone, and one layer, the embedding and the head at full size, under a limit.
func (b *bench) large(ctx context.Context, p *printer) error {
	if err := b.planLarge(ctx, p); err != nil {
		return err
	}
	s, err := family.OfSize(70)
	if err != nil {
		return err
	}
	s.Layers = 1
	dir := filepath.Join(b.work, "family-70-layer")
	if err := room(ctx, b.work, family.Bytes(s)+2*int64(s.Parameters())); err != nil {
		return err
	}
	b.note(fmt.Sprintf("writing %.1f GB in %s", float64(family.Bytes(s))/1e9, dir))
	if err := family.Write(ctx, dir, s, 5e9); err != nil {
		return err
	}
	della := pair("della", true, methods[0].floor)
	var rows [][]string
	for _, m := range []method{find("slerp"), find("ties"), della} {
		recipe, err := m.write(dir, "", timedType)
		if err != nil {
			return err
		}
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
		u, err := command(ctx, dir, nil, "sh", "-c", "ulimit -d "+strconv.Itoa(limit)+" && exec "+quote(b.mergevo)+" apply "+quote(recipe)+" --out out --backend "+quote(b.backend))
		if err != nil {
			return err
		}
		rows = append(rows, []string{m.name, fmt.Sprintf("%.1f", u.wall), fmt.Sprintf("%.1f", u.cpu), fmt.Sprintf("%.0f", u.anon)})
		b.note(fmt.Sprintf("%s: %.1f s, %.0f MB", m.name, u.wall, u.anon))
	}
	p.table(fmt.Sprintf("One layer, embedding and head of a 70 billion llama, %.2f billion parameters, limited to %.2f GB of data", float64(s.Parameters())/1e9, limit*1024/1e9),
		[]string{"method", "s", "CPU s", "peak MB"}, rows)
	return b.clean(ctx, dir)
}

func find(name string) method {
	for _, m := range methods {
		if m.name == name {
			return m
		}
	}
	panic("bench: no method " + name)
}

// planLarge checks a recipe of 70 billion parameters without merging it.
func (b *bench) planLarge(ctx context.Context, p *printer) error {
	s, err := family.OfSize(70)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.work, "zeros-70")
	if err := family.Sparse(dir, s, 5e9); err != nil {
		return err
	}
	recipe, err := methods[1].write(dir, "", timedType)
	if err != nil {
		return err
	}
	u, err := command(ctx, dir, nil, b.mergevo, "apply", recipe, "--dry-run")
	if err != nil {
		return err
	}
	p.text("Plan of %.1f billion parameters, base + 2 (apply --dry-run): %.2f s, %.0f MB.\n", float64(s.Parameters())/1e9, u.wall, u.anon)
	return p.failed
}
