package upload

import (
	"context"
	"time"

	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	raceAbove = 32 << 20 // uploads of fewer bytes go to the nearest server
	racers    = 4        // candidates, the nearest ones
	raceShare = 16       // of the upload's bytes, for a path whose speed decides where it goes
	graceRTTs = 3        // after the first of a race has ended
)

// heat is which paths race: they are measured at the same time. One that is fast takes most of the
// line, one that is slow cannot, and so a second tells them apart.
type heat struct {
	paths []int // in the findings
	steps []netprobe.Step
	span  time.Duration // of each
	grace time.Duration // that others have after the first
}

// heat has the nearest of the candidates race, each over TCP, or QUIC where TCP does not answer.
func (f *findings) heat(nearest []Candidate) heat {
	var h heat
	for _, c := range nearest[:min(len(nearest), racers)] {
		if of := f.paths(c); len(of) > 0 {
			step := f.step(of[0], raceShare)
			h.span, h.grace = max(h.span, step.Time), max(h.grace, graceRTTs*f.results[of[0]].RTT.Min)
			h.paths, h.steps = append(h.paths, of[0]), append(h.steps, step)
		}
	}
	for i := range h.steps {
		h.steps[i].Time = h.span
	}
	return h
}

// race measures the paths of a heat.
func (p prober) race(ctx context.Context, h heat) []netprobe.Transfer {
	var ups []netprobe.Transfer
	for _, r := range p.together(ctx, h.steps, func() time.Duration { return h.grace }) {
		ups = append(ups, r.Up)
	}
	return ups
}

// together takes steps of different paths at the same time. Those that have not ended some grace
// after the first that succeeds are not waited for: their error is errSlow then.
func (p prober) together(ctx context.Context, steps []netprobe.Step, grace func() time.Duration) []netprobe.Result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type finish struct {
		step   int
		result netprobe.Result
	}
	ends := make(chan finish)
	for i, step := range steps {
		go func() { ends <- finish{i, p.measure(ctx, []netprobe.Step{step})[0]} }()
	}
	results := make([]netprobe.Result, len(steps))
	timed := false
	for range steps {
		f := <-ends
		results[f.step] = f.result
		if f.result.Err == nil && f.result.Up.Err == nil && !timed {
			timed = true
			defer time.AfterFunc(grace(), func() { cancel(errSlow) }).Stop()
		}
	}
	return results
}
