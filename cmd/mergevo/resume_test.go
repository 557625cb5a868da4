package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// A search that is killed is continued to the same candidates and the same report.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes")
	}
	t.Parallel()
	for recipe, evaluations := range map[string]string{"small.yaml": "202", "niche.yaml": "62"} {
		t.Run(recipe, func(t *testing.T) { killed(t, recipe, evaluations) })
	}
}

func killed(t *testing.T, recipe, evaluations string) {
	dir := workplace(t)
	begin := func(run string) []string {
		return []string{"search", recipe, "--backend", "go", "--evaluations", evaluations, "--json", "--out", run}
	}
	began := time.Now()
	want := resultOf(t, dir, "whole", must(t, dir, begin("whole")...))
	whole := time.Since(began)

	const kills = 10
	random := rand.New(rand.NewPCG(7, 1))
	for i := range kills {
		run := fmt.Sprint("killed-", i)
		c := process(t, dir, begin(run)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration((float64(i) + random.Float64()) / kills * float64(whole)))
		_ = c.Process.Kill() // unless it has ended
		_ = c.Wait()
		output, stored := resumed(t, dir, run, begin(run))
		t.Logf("kill %d: %d candidates were stored", i, stored)
		if recipe == "niche.yaml" {
			checkOnce(t, output, stored) // few segments and many are two calls
		} else {
			checkScored(t, output, stored)
		}
		if got := resultOf(t, dir, run, output); got != want {
			t.Fatalf("kill %d: the run continued differs from the uninterrupted one:\n%s\n%s", i, got.scores, want.scores)
		}
	}
}

// Ended before or after any single step on the disk, a search is continued to the
// same candidates and the same report.
func TestEndedAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes")
	}
	t.Parallel()
	dir := workplace(t)
	begin := func(run string) []string {
		return []string{"search", "small.yaml", "--backend", "go", "--json", "--out", run}
	}
	want := resultOf(t, dir, "whole", must(t, dir, begin("whole")...))
	for n := 1; ; n++ {
		run := fmt.Sprint("ended-", n)
		c := process(t, dir, begin(run)...)
		c.Env = append(c.Env, "MERGEVO_TEST_FAULT="+strconv.Itoa(n))
		ended := finish(t, c)
		if ended.code == 0 {
			t.Logf("a search takes %d steps", n-1)
			break
		}
		if ended.code != 137 {
			t.Fatalf("step %d: exit code %d: %s", n, ended.code, ended.stderr)
		}
		output, stored := resumed(t, dir, run, begin(run))
		checkScored(t, output, stored)
		if got := resultOf(t, dir, run, output); got != want {
			t.Fatalf("step %d: the run continued differs from the uninterrupted one:\n%s\n%s", n, got.scores, want.scores)
		}
	}
}

// Resuming scores only what is not known: with a larger budget, the rest of a
// generation that the smaller one cut, and all that comes after.
func TestResumeScoresNothingTwice(t *testing.T) {
	t.Parallel()
	dir := workplace(t)
	checkScored(t, must(t, dir, "search", "small.yaml", "--backend", "go", "--json", "--out", "run", "--evaluations", "7"), 0)
	for _, step := range []struct{ budget, stored int }{{7, 6}, {12, 6}, {16, 11}, {16, 15}, {30, 15}} {
		output := must(t, dir, "search", "--resume", "run", "--json", "--evaluations", strconv.Itoa(step.budget))
		checkScored(t, output, step.stored)
	}
}
