package upload

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal/netprobe"
)

// What measuring before the first chunk may cost.
const (
	maxProbeTime = 15 * time.Second // while the content is being hashed
	minStepTime  = 200 * time.Millisecond
	maxStepTime  = 2500 * time.Millisecond
	stepRTTs     = 18 // until a connection is as fast as its path and has filled its queues, and as long again
	graceRTTs    = 3  // after the first of a race has ended
	maxStepBytes = 16 << 20
	minStepBytes = 128 << 10
	raceShare    = 16       // of the upload's bytes, for a path whose speed decides where it goes
	aloneShare   = 64       // the same for one that is measured since there is time
	probeAbove   = 1 << 20  // uploads of fewer bytes are over before a speed is known
	raceAbove    = 32 << 20 // those of fewer bytes begin at the nearest server
	racers       = 4        // candidates, the nearest ones

	// After the first path has answered, others have as long as that took, and at least this.
	minGrace = 250 * time.Millisecond
)

// prober measures paths.
type prober struct {
	measure func(ctx context.Context, plan []netprobe.Step) []netprobe.Result
	now     func() time.Time
}

// run finds out what is needed to begin: who answers, and where there is a choice, who of the nearest is
// likely to be fast. They are measured at the same time, each over TCP, or over
// QUIC where TCP does not answer: one that is fast takes most of the line, one that is slow
// cannot, and so a second tells them apart. As long as the content is being hashed,
// those close to the fastest are measured alone, then the fastest one's other transport, then the
// rest. What stays open is found out while chunks are sent, see [doubts]. Where
// what is known from before still holds for the fastest path, only round trips are measured.
func (p prober) run(ctx context.Context, f *findings, hashed <-chan struct{}, known []Measured) {
	s := survey{p, f}
	s.reach(ctx)
	order := f.byDistance()
	if len(order) < 2 || f.size < probeAbove || f.recall(p.now(), known) {
		return
	}
	if f.size >= raceAbove {
		s.race(ctx, order[:min(len(order), racers)])
	}
	s.alone(ctx, order, hashed)
}

// survey is one run of a prober.
type survey struct {
	prober
	*findings
}

// reach measures the round trips of all paths.
func (s survey) reach(ctx context.Context) {
	var targets []netprobe.Target
	for _, c := range s.candidates {
		targets = append(targets, c.targets()...)
	}
	steps := netprobe.Plan(targets, netprobe.Budget{Requests: 1})
	began := s.now()
	s.results = s.together(ctx, steps, func() time.Duration { return max(minGrace, s.now().Sub(began)) })
	for _, c := range s.candidates {
		s.vouch(c.targets())
	}
}

// vouch clears the paths of a candidate that were slow to answer where another has answered: a lost
// packet costs more time than there is.
func (s survey) vouch(targets []netprobe.Target) {
	var rtt netprobe.RTT
	for _, r := range s.results {
		if r.Err == nil && slices.Contains(targets, r.Target) {
			rtt = r.RTT
		}
	}
	for i, r := range s.results {
		if rtt.Min > 0 && errors.Is(r.Err, errSlow) && slices.Contains(targets, r.Target) {
			s.results[i].Err, s.results[i].RTT = nil, rtt
		}
	}
}

// race measures one path of each candidate, all at the same time.
func (s survey) race(ctx context.Context, candidates []Candidate) {
	var paths []int
	var steps []netprobe.Step
	var span, grace time.Duration
	for _, c := range candidates {
		if of := s.paths(c); len(of) > 0 {
			step := s.step(of[0], raceShare)
			span, grace = max(span, step.Time), max(grace, graceRTTs*s.results[of[0]].RTT.Min)
			paths, steps = append(paths, of[0]), append(steps, step)
		}
	}
	for i := range steps {
		steps[i].Time = span
	}
	var ups []netprobe.Transfer
	for _, r := range s.together(ctx, steps, func() time.Duration { return grace }) {
		ups = append(ups, r.Up)
	}
	s.enterRace(paths, ups)
}

// together takes steps of different paths at the same time. Those that have not ended some grace
// after the first that succeeds are not waited for: their error is errSlow then.
func (s survey) together(ctx context.Context, steps []netprobe.Step, grace func() time.Duration) []netprobe.Result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type finish struct {
		step   int
		result netprobe.Result
	}
	ends := make(chan finish)
	for i, step := range steps {
		go func() { ends <- finish{i, s.measure(ctx, []netprobe.Step{step})[0]} }()
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

// alone measures paths one after the other until the content is hashed.
func (s survey) alone(ctx context.Context, order []Candidate, hashed <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-hashed:
			cancel()
		case <-ctx.Done():
		}
	}()
	began := s.now()
	done := map[int]bool{}
	for s.now().Sub(began) < maxProbeTime {
		i, ok := s.next(order, done)
		if !ok || isClosed(hashed) {
			return
		}
		up := s.measure(ctx, []netprobe.Step{s.step(i, aloneShare)})[0].Up
		if ctx.Err() != nil { // half a measurement says nothing
			return
		}
		done[i] = true
		s.enter(s.results[i].Path, up)
	}
}

// next is the path that is worth most to be measured alone, of those that are not done: those that
// may be the fastest first, since in a race what is faster than this end's line and what is not
// quite can look alike.
func (s survey) next(order []Candidate, done map[int]bool) (int, bool) {
	var first []int
	for i, r := range s.results {
		if s.unclear[r.Path] {
			first = append(first, i)
		}
	}
	slices.SortFunc(first, func(a, b int) int { return -cmp.Compare(s.results[a].Up.Goodput, s.results[b].Up.Goodput) })
	if routes := s.routes(); len(routes) > 0 {
		first = append(first, s.paths(routes[0].candidate)...)
	}
	for _, c := range order {
		first = append(first, s.paths(c)...)
	}
	for _, i := range first {
		if r := s.results[i]; !done[i] && (s.unclear[r.Path] || s.unmeasured(i)) {
			return i, true
		}
	}
	return 0, false
}

// step is the measurement of a path, with at most a share of the upload's bytes.
func (f *findings) step(i int, share int64) netprobe.Step {
	rtt := f.results[i].RTT.Min
	return netprobe.Step{
		Path: f.results[i].Path, Op: netprobe.Upload,
		Bytes: max(minStepBytes, min(maxStepBytes, f.size/share)), Time: stepTime(rtt),
	}
}

// stepTime is how long a path with a round trip is measured.
func stepTime(rtt time.Duration) time.Duration {
	return min(max(stepRTTs*rtt, minStepTime), maxStepTime)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
