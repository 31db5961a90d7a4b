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
	maxStepBytes = 16 << 20
	minStepBytes = 128 << 10
	aloneShare   = 64      // of the upload's bytes, for a path that is measured since there is time
	probeAbove   = 1 << 20 // uploads of fewer bytes are over before a speed is known

	// After the first path has answered, others have as long as that took, and at least this.
	minGrace = 250 * time.Millisecond
)

// prober measures paths.
type prober struct {
	measure func(ctx context.Context, plan []netprobe.Step) []netprobe.Result
	now     func() time.Time
}

// run finds out what is needed to begin: who answers. As long as the content is being hashed, and where
// there is a choice, the nearest race, then those close to the fastest are measured alone, then the
// fastest one's other transport, then the rest. A race that hashing overtakes is broken off, and run beside
// the upload's first seconds, see [transfer.race]. What stays open is found out while chunks are sent, see
// [doubts]. Where what is known from before still holds for the fastest path, only round trips are measured.
func (p prober) run(ctx context.Context, f *findings, hashed <-chan struct{}, known []Measured) {
	s := survey{p, f}
	s.reach(ctx)
	order := f.byDistance()
	if len(order) < 2 || f.size < probeAbove || f.recall(p.now(), known) {
		return
	}
	ctx, cancel := until(ctx, hashed)
	defer cancel()
	if f.size >= raceAbove {
		f.unraced = !s.raceUntilEnd(ctx, order)
	}
	if !f.unraced {
		s.alone(ctx, order)
	}
}

// raceUntilEnd has the nearest race, and reports whether ctx has not ended before they were done.
func (s survey) raceUntilEnd(ctx context.Context, order []Candidate) bool {
	if ctx.Err() != nil {
		return false
	}
	h := s.heat(order)
	ups := s.race(ctx, h)
	if ctx.Err() != nil {
		return false
	}
	s.enterRace(h.paths, ups)
	return true
}

// until is a context that ends when a channel is closed, too.
func until(ctx context.Context, closed <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	select {
	case <-closed:
		cancel()
		return ctx, cancel
	default:
	}
	go func() {
		select {
		case <-closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
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

// alone measures paths one after the other until ctx ends.
func (s survey) alone(ctx context.Context, order []Candidate) {
	began := s.now()
	done := map[int]bool{}
	for s.now().Sub(began) < maxProbeTime {
		i, ok := s.next(order, done)
		if !ok || ctx.Err() != nil {
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
