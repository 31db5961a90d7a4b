package upload

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// What measuring may cost. Hashing goes on meanwhile, so that its time is free.
const (
	probeShare   = 0.04             // of the time that the upload is expected to take, for what is good to know
	maxProbeTime = 15 * time.Second // for all transfers
	minStepTime  = 400 * time.Millisecond
	maxStepTime  = 2 * time.Second
	stepRTTs     = 12 // until a connection is as fast as its path, and as long again
	maxStepBytes = 16 << 20
	minStepBytes = 128 << 10
	probeAbove   = 1 << 20 // uploads of fewer bytes are over before a speed is known
	worthProbing = 4       // steps: an upload that takes no longer goes to the nearest server
	batch        = 4       // candidates that are measured at the same time
)

// prober measures the paths to candidates.
type prober struct {
	here    shoal.Locality
	measure func(ctx context.Context, plan []netprobe.Step) []netprobe.Result
	now     func() time.Time
}

// run measures the nearest candidate over both transports, then all others
// over the one that was faster there, and the fastest over the other one too: what
// tells the two apart is mostly this end's line, unless a server is slow. The others are measured several at a time, which shows who is
// faster all the same. What is left after that is measured one by one
// as long as the content is being hashed, or the budget for it lasts. size is that
// of the upload in bytes. Where what is known from before still holds for the fastest
// path, nothing is measured but round trips.
func (p prober) run(ctx context.Context, candidates []Candidate, size int64, hashed <-chan struct{}, known []Measured) []netprobe.Result {
	var targets []netprobe.Target
	for _, c := range candidates {
		targets = append(targets, c.targets()...)
	}
	s := survey{prober: p, began: p.now(), size: size, results: p.measure(ctx, netprobe.Plan(targets, netprobe.Budget{Requests: 3}))}
	order := s.byDistance(candidates)
	if size < probeAbove || len(order) == 0 || len(s.results) < 2 || s.recall(known) {
		return s.results
	}
	usual := usual(p.here, order[0].Locality)
	for _, i := range s.paths(order[0], usual) {
		s.upload(ctx, i)
		if s.small() && isClosed(hashed) {
			return s.results
		}
	}
	better := s.faster(order[0])
	s.batches(ctx, order, better)
	// A slow server shows no difference; then the fastest one does.
	if fastest := s.fastest(order); fastest.key() != order[0].key() {
		for _, i := range s.paths(fastest, better) {
			s.upload(ctx, i)
		}
		if now := s.faster(fastest); now != better {
			better = now
			s.batches(ctx, order, better)
		}
	}
	for _, c := range order {
		for _, i := range s.paths(c, better) {
			if ctx.Err() == nil && s.results[i].Up.At.IsZero() && (s.spent() < s.budget() || !isClosed(hashed)) {
				s.upload(ctx, i)
			}
		}
	}
	return s.results
}

// batches measures all candidates over one transport, or the one that they have.
func (s *survey) batches(ctx context.Context, order []Candidate, over netprobe.Transport) {
	for at := 0; at < len(order) && ctx.Err() == nil && s.spent() < maxProbeTime; at += batch {
		var chosen []int
		for _, c := range order[at:min(at+batch, len(order))] {
			if paths := s.paths(c, over); len(paths) > 0 {
				chosen = append(chosen, paths[0])
			}
		}
		var wg sync.WaitGroup
		for _, i := range chosen {
			wg.Go(func() { s.upload(ctx, i) })
		}
		wg.Wait()
	}
}

// faster is the transport that is worth measuring to others: QUIC where it is
// clearly the faster one to c.
func (s *survey) faster(c Candidate) netprobe.Transport {
	var tcp, quic shoal.Rate
	for _, r := range s.of(c) {
		if r.Transport == netprobe.QUIC {
			quic = max(quic, r.Up.Goodput)
		} else {
			tcp = max(tcp, r.Up.Goodput)
		}
	}
	if float64(quic) > 1.2*float64(tcp) {
		return netprobe.QUIC
	}
	return netprobe.TCP
}

// fastest is the candidate with the fastest path that was measured.
func (s *survey) fastest(order []Candidate) Candidate {
	up := func(c Candidate) (best shoal.Rate) {
		for _, r := range s.of(c) {
			best = max(best, r.Up.Goodput)
		}
		return best
	}
	return slices.MaxFunc(order, func(a, b Candidate) int { return cmp.Compare(up(a), up(b)) })
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

// upload measures one path, once. It may be called concurrently for different ones.
func (s *survey) upload(ctx context.Context, i int) {
	if !s.results[i].Up.At.IsZero() {
		return
	}
	span := min(max(stepRTTs*s.results[i].RTT.Min, minStepTime), maxStepTime)
	bytes := stepBytes(s.size, s.results[i].RTT.Min)
	// Others write to other results meanwhile, so this one is all that is touched.
	r := s.measure(ctx, []netprobe.Step{{Path: s.results[i].Path, Op: netprobe.Upload, Bytes: bytes, Time: span}})
	s.results[i].Up = r[0].Up
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

func (s *survey) budget() time.Duration {
	return min(time.Duration(probeShare*float64(s.expected())), maxProbeTime)
}

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
