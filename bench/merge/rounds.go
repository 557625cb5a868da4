package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/mergevo/mergevo/bench/family"
)

// runs are what one method's contenders took, one entry a round.
type runs struct {
	method
	copied, ours, c, kit, imports []used
}

// contender is one way to do a method's work, or part of it.
type contender struct {
	into *[]used
	do   func() (used, error)
}

// race measures every method on a family, round by round, and prints the tables.
func (b *bench) race(ctx context.Context, p *printer, dir string, s family.Shape) error {
	var all []*runs
	for _, m := range b.methods {
		all = append(all, &runs{method: m})
	}
	for round := range b.rounds {
		for _, r := range all {
			if err := b.round(ctx, r, dir, shard(s), round); err != nil {
				return err
			}
			last := func(list []used) string {
				if len(list) == 0 {
					return "-"
				}
				return fmt.Sprintf("%.2f", list[len(list)-1].wall)
			}
			b.note(fmt.Sprintf("round %d, %s: mergevo %s s, floor %s, C %s, mergekit %s", round+1, r.name, last(r.ours), last(r.copied), last(r.c), last(r.kit)))
		}
	}
	b.print(p, all, s.Parameters())
	return p.failed
}

// round runs a method's contenders once, in turn, each round beginning with another;
// each begins without an output and with nothing left to be written to disk.
func (b *bench) round(ctx context.Context, r *runs, dir string, shard int64, round int) error {
	list, err := b.contenders(ctx, r, dir, shard)
	if err != nil {
		return err
	}
	// The inputs are in the page cache for the first as for the last.
	if _, err := command(ctx, dir, nil, "sh", "-c", "cat "+inputs(r.inputs)+" >/dev/null"); err != nil {
		return err
	}
	for i := range list {
		c := list[(round+i)%len(list)]
		if err := b.clean(ctx, dir); err != nil {
			return err
		}
		u, err := c.do()
		if err != nil {
			return err
		}
		*c.into = append(*c.into, u)
	}
	return b.clean(ctx, dir)
}

func (b *bench) contenders(ctx context.Context, r *runs, dir string, shard int64) ([]contender, error) {
	recipe, err := r.write(dir, "", timedType)
	if err != nil {
		return nil, err
	}
	shell := func(text string) (used, error) { return command(ctx, dir, nil, "sh", "-c", text) }
	list := []contender{
		{&r.copied, func() (used, error) {
			return shell("cat " + inputs(r.inputs) + " >/dev/null && mkdir out && cp base/*.safetensors out && sync -f out")
		}},
		{&r.ours, func() (used, error) { return b.apply(ctx, dir, recipe, shard, nil) }},
	}
	if r.method.floor.Method != "" && b.program != "" {
		plan, _, err := r.plan(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, contender{&r.c, func() (used, error) {
			return shell("mkdir out && " + quote(b.program) + " " + strconv.Itoa(runtime.GOMAXPROCS(0)) + " " + quote(plan) + " out/c && sync -f out")
		}})
	}
	if b.mergekit != "" {
		list = append(list,
			contender{&r.kit, func() (used, error) { return b.kit(ctx, dir, recipe, shard) }},
			contender{&r.imports, func() (used, error) { return command(ctx, dir, nil, b.mergekit, "--help") }})
	}
	return list, nil
}

// clean removes the output, and waits for the disk.
func (b *bench) clean(ctx context.Context, dir string) error {
	for _, name := range []string{"out", "out.partial"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return quietly(ctx, "sync")
}

// apply is mergevo's command, which syncs what it writes.
func (b *bench) apply(ctx context.Context, dir, recipe string, shard int64, env []string) (used, error) {
	return command(ctx, dir, env, b.mergevo, "apply", recipe, "--out", "out", "--shard-size", strconv.FormatInt(shard, 10), "--backend", b.backend)
}

// kit is mergekit's command, which leaves its output to the page cache.
func (b *bench) kit(ctx context.Context, dir, recipe string, shard int64) (used, error) {
	return command(ctx, dir, nil, b.mergekit, recipe, "out", "--no-copy-tokenizer", "--no-write-model-card", "--quiet", "--out-shard-size", strconv.FormatInt(shard, 10))
}

func inputs(models []string) string {
	var out []string
	for _, m := range models {
		out = append(out, m+"/*.safetensors")
	}
	return strings.Join(out, " ")
}

// quote makes one word for sh.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
