package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// What measuring may cost. Hashing goes on meanwhile, so that its time is free.
const (
	maxProbeTime = 15 * time.Second // for all transfers
	minStepTime  = 400 * time.Millisecond
	maxStepTime  = 2 * time.Second
	stepRTTs     = 10 // until a connection is as fast as its path, and about as long again
	graceRTTs    = 3  // after the first has ended
	maxStepBytes = 16 << 20
	minStepBytes = 128 << 10
	probeAbove   = 1 << 20  // uploads of fewer bytes are over before a speed is known
	worthProbing = 4        // steps: an upload that takes no longer goes to the nearest server
	raceAbove    = 32 << 20 // uploads of fewer bytes may be over soon: the nearest server is looked at first
	batch        = 4        // candidates that are measured at the same time
	closeBehind  = 0.5      // of the fastest: what falls behind that far in a race is slower
	maxFinalists = 3        // paths of those that are measured once more, alone
)

// prober measures the paths to candidates.
type prober struct {
	here    shoal.Locality
	measure func(ctx context.Context, plan []netprobe.Step) []netprobe.Result
	now     func() time.Time
}

// run measures all paths to the nearest candidates at the same time: one that is fast takes
// most of the line, one that is slow cannot, and so a second shows which of them may be the
// fastest. Others follow, batch by batch; then those close to the fastest are measured alone. What was too slow to be waited for is measured
// one by one as long as the content is being hashed. size is that of the upload in bytes.
// Where what is known from before still holds for the fastest path, nothing is
// measured but round trips.
func (p prober) run(ctx context.Context, candidates []Candidate, size int64, hashed <-chan struct{}, known []Measured) []netprobe.Result {
	var targets []netprobe.Target
	for _, c := range candidates {
		targets = append(targets, c.targets()...)
	}
	s := survey{prober: p, began: p.now(), size: size, results: p.measure(ctx, netprobe.Plan(targets, netprobe.Budget{Requests: 1}))}
	order := s.byDistance(candidates)
	if size < probeAbove || len(order) == 0 || len(s.results) < 2 || s.recall(known) {
		return s.results
	}
	usual := usual(p.here, order[0].Locality)
	if size < raceAbove {
		s.race(ctx, s.paths(order[0], usual)[:1])
		if s.small() && isClosed(hashed) {
			return s.results
		}
	}
	for at := 0; at < len(order) && ctx.Err() == nil && s.spent() < maxProbeTime; at += batch {
		var paths []int
		for _, c := range order[at:min(at+batch, len(order))] {
			paths = append(paths, s.paths(c, usual)...)
		}
		s.race(ctx, paths)
	}
	if !s.small() {
		for _, i := range s.finalists() {
			s.results[i].Up = s.measure(ctx, []netprobe.Step{s.step(i)})[0].Up
		}
	}
	for _, c := range order {
		for _, i := range s.paths(c, usual) {
			if ctx.Err() == nil && (s.results[i].Up.At.IsZero() || errors.Is(s.results[i].Up.Err, errSlow)) && !isClosed(hashed) {
				s.results[i].Up = s.measure(ctx, []netprobe.Step{s.step(i)})[0].Up
			}
		}
	}
	return s.results
}

// finalists are the paths that have to be measured one by one, since in a race those that
// are faster than this end's line and those that are not quite can look alike. It is nil where one is
// clearly ahead.
func (s *survey) finalists() []int {
	var paths []int
	var fastest shoal.Rate
	for i, r := range s.results {
		fastest = max(fastest, r.Up.Goodput)
		paths = append(paths, i)
	}
	paths = slices.DeleteFunc(paths, func(i int) bool {
		return s.results[i].Up.Goodput == 0 || float64(s.results[i].Up.Goodput) < closeBehind*float64(fastest)
	})
	slices.SortFunc(paths, func(a, b int) int { return -cmp.Compare(s.results[a].Up.Goodput, s.results[b].Up.Goodput) })
	if len(paths) < 2 {
		return nil
	}
	return paths[:min(len(paths), maxFinalists)]
}

// errSlow is why nothing is known of a path that did not end with the others.
var errSlow = fmt.Errorf("%w: slower than others", shoal.ErrUnavailable)

// race measures paths at the same time, those that were not measured yet. Those that have not ended
// soon after the first are not waited for.
func (s *survey) race(ctx context.Context, paths []int) {
	paths = slices.DeleteFunc(paths, func(i int) bool { return !s.results[i].Up.At.IsZero() })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var span, grace time.Duration
	for _, i := range paths {
		span, grace = max(span, s.step(i).Time), max(grace, graceRTTs*s.results[i].RTT.Min)
	}
	type finish struct {
		path int
		up   netprobe.Transfer
	}
	ends := make(chan finish)
	for _, i := range paths {
		step := s.step(i)
		step.Time = span
		go func() { ends <- finish{i, s.measure(ctx, []netprobe.Step{step})[0].Up} }()
	}
	timed := false
	for range paths {
		f := <-ends
		s.results[f.path].Up = f.up
		if f.up.Err == nil && !timed {
			timed = true
			defer time.AfterFunc(grace, func() { cancel(errSlow) }).Stop()
		}
	}
}

// survey is one run of a prober.
type survey struct {
	prober
	began   time.Time
	size    int64
	results []netprobe.Result
}

func (s *survey) spent() time.Duration { return s.now().Sub(s.began) }

const (
	knownTime = time.Hour // for which a measurement is believed, while the round trip is what it was
	knownRTT  = 20 * time.Millisecond
)

// recall enters speeds that are known from before, and reports whether that of
// the fastest path is among them.
func (s *survey) recall(known []Measured) bool {
	var fastest, recalled shoal.Rate
	for _, k := range known {
		if k.Up <= 0 || s.now().Sub(k.At) > knownTime {
			continue
		}
		fastest = max(fastest, k.Up)
		for i, r := range s.results {
			rtt := time.Duration(k.RTT * float64(time.Second))
			same := r.URL == k.URL && r.Transport == k.Transport && r.RTT.Min < 2*rtt+knownRTT && rtt < 2*r.RTT.Min+knownRTT
			if same && r.Err == nil {
				s.results[i].Up = netprobe.Transfer{At: k.At, Goodput: k.Up}
				recalled = max(recalled, k.Up)
			}
		}
	}
	if fastest > 0 && recalled == fastest {
		return true
	}
	for i := range s.results { // another network
		s.results[i].Up = netprobe.Transfer{}
	}
	return false
}

// byDistance are the candidates that answered, the nearest first.
func (s *survey) byDistance(candidates []Candidate) []Candidate {
	rtt := func(c Candidate) time.Duration {
		least := time.Duration(math.MaxInt64)
		for _, r := range s.of(c) {
			if r.Err == nil {
				least = min(least, r.RTT.Min)
			}
		}
		return least
	}
	answered := slices.DeleteFunc(slices.Clone(candidates), func(c Candidate) bool { return rtt(c) == math.MaxInt64 })
	slices.SortStableFunc(answered, func(a, b Candidate) int { return cmp.Compare(rtt(a), rtt(b)) })
	return answered
}

// of is what is known of a candidate's paths.
func (s *survey) of(c Candidate) []netprobe.Result {
	targets := c.targets()
	return slices.DeleteFunc(slices.Clone(s.results), func(r netprobe.Result) bool { return !slices.Contains(targets, r.Target) })
}

// paths are the indices of a candidate's paths that are worth measuring, those over
// one transport first.
func (s *survey) paths(c Candidate, first netprobe.Transport) []int {
	targets := c.targets()
	var is []int
	for i, r := range s.results {
		if slices.Contains(targets, r.Target) && r.Err == nil && !plainTwin(r, s.results) {
			is = append(is, i)
		}
	}
	slices.SortStableFunc(is, func(a, b int) int {
		return cmp.Compare(btoi(s.results[a].Transport != first), btoi(s.results[b].Transport != first))
	})
	return is
}

// step is the measurement of a path.
func (s *survey) step(i int) netprobe.Step {
	rtt := s.results[i].RTT.Min
	span := min(max(stepRTTs*rtt, minStepTime), maxStepTime)
	return netprobe.Step{Path: s.results[i].Path, Op: netprobe.Upload, Bytes: stepBytes(s.size, rtt), Time: span}
}

// stepBytes bounds what measuring a path sends, so that it stays little against
// the upload: the farther it is, the more it takes until it is at full speed.
func stepBytes(size int64, rtt time.Duration) int64 {
	share := int64(64)
	if rtt > 10*time.Millisecond {
		share = 16
	}
	return max(minStepBytes, min(maxStepBytes, size/share))
}

// expected is how long the upload takes by what is known.
func (s *survey) expected() time.Duration {
	var fastest shoal.Rate
	for _, r := range s.results {
		fastest = max(fastest, r.Up.Goodput)
	}
	if fastest <= 0 {
		return math.MaxInt64 / 2
	}
	const most = 1e9 // seconds
	return time.Duration(min(float64(s.size)/float64(fastest), most) * float64(time.Second))
}

// small reports whether the upload is over before measuring more could pay.
func (s *survey) small() bool { return s.expected() < worthProbing*s.spent() }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// usual is the transport that is taken unless a measurement speaks against it.
func usual(here, there shoal.Locality) netprobe.Transport {
	if here.CrossCarrier(there) {
		return netprobe.QUIC
	}
	return netprobe.TCP
}

// plainTwin reports whether r is plain HTTP to a node that answers over TLS too:
// the path is the same, and TLS proves who is there.
func plainTwin(r netprobe.Result, results []netprobe.Result) bool {
	if r.Node == "" || len(r.Target.Transports()) > 1 {
		return false
	}
	return slices.ContainsFunc(results, func(o netprobe.Result) bool {
		return o.Node == r.Node && o.Err == nil && len(o.Target.Transports()) > 1
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
