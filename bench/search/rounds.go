package main

import (
	"slices"
	"time"

	"github.com/mergevo/mergevo/bench/measured"
)

// contender is one way to do the work that is timed.
type contender struct {
	name string
	do   func() error
}

// race times the contenders side by side, so that all of them see the same load
// of the machine: round by round, each round beginning with another one. An
// untimed round comes first, for compilation. times are [contender][round].
func race(rounds int, all ...contender) (times [][]time.Duration, err error) {
	times = make([][]time.Duration, len(all))
	for round := range rounds + 1 {
		for i := range all {
			k := (round + i) % len(all)
			began := time.Now()
			if err := all[k].do(); err != nil {
				return nil, err
			}
			if round > 0 {
				times[k] = append(times[k], time.Since(began))
			}
		}
	}
	return times, nil
}

// compare reduces two contenders' rounds by a figure of one round: its median
// over the rounds, and its value for the best time of each.
func compare(a, b []time.Duration, figure func(a, b float64) float64) (middle, best float64) {
	each := make([]float64, len(a))
	for i := range a {
		each[i] = figure(a[i].Seconds(), b[i].Seconds())
	}
	return measured.Median(each), figure(slices.Min(a).Seconds(), slices.Min(b).Seconds())
}

func medianSeconds(t []time.Duration) float64 {
	each := make([]float64, len(t))
	for i := range t {
		each[i] = t[i].Seconds()
	}
	return measured.Median(each)
}
