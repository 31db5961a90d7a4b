package exchange

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// ewma is an exponentially weighted moving average; its first sample counts whole.
type ewma struct {
	value float64
	known bool
}

func (e *ewma) add(sample, weight float64) {
	if !e.known {
		e.value, e.known = sample, true
		return
	}
	e.value += weight * (sample - e.value)
}

// path estimates the path from a source to us: its rate while we have
// something outstanding there, and the shortest answer time.
//
// Requesting the next piece when one bandwidth-delay product is left to come
// keeps a full path full. A path that is not full yet shows in the rate growing
// with what is requested: twice the product is, until it grows no more (as
// congestion control BBR starts).
type path struct {
	rate    ewma          // bytes a second
	minRTT  time.Duration // from a request to its first byte; 0: unknown
	network time.Duration // the network's own part of that; 0: unknown

	best  float64   // the highest rate that showed growth, bytes a second
	flat  int       // samples since then
	since time.Time // start of the running sample
	bytes int64     // received since then
	busy  bool      // something is outstanding
}

const (
	// sampleTime is how long a rate sample lasts, and a round trip at least.
	sampleTime = 25 * time.Millisecond
	// leastRTT stands for the time that both ends take to react where the path
	// itself takes less: on a busy machine each waits its turn for some slices of the
	// scheduler. What it adds to a queue is sent in that time.
	leastRTT = 25 * time.Millisecond
	// mostWait is how much longer than the network an answer may take for that to count as the
	// path's time. What takes longer has waited behind other data, at the source or in a
	// queue on the way. Where all links are full every answer has, and who asks for more since
	// answers take long makes them take longer (docs/adr/0016).
	mostWait = 200 * time.Millisecond
	// growth is the factor between two rates that says that a path is not full,
	// and flatRounds how many samples without it say that it is.
	growth     = 1.25
	flatRounds = 3
)

func (p *path) started(now time.Time) {
	if !p.busy {
		p.busy, p.since, p.bytes = true, now, 0
	}
}

func (p *path) answered(rtt time.Duration) {
	if rtt > 0 && (p.minRTT == 0 || rtt < p.minRTT) {
		p.minRTT = rtt
	}
}

// RoundTrip is what the last [RoundTripMeasured] said of a peer; 0: none did.
func (s *State) RoundTrip(id shoal.NodeID) time.Duration {
	if p := s.byID[id]; p != nil {
		return p.source.path.network
	}
	return 0
}

func (e RoundTripMeasured) apply(s *State, _ time.Time) {
	if p := s.byID[e.Peer]; p != nil {
		p.source.path.network = e.Least
	}
}

func (p *path) received(n int, now time.Time) {
	p.bytes += int64(n)
	if d := now.Sub(p.since); d >= max(sampleTime, p.minRTT) {
		rate := float64(p.bytes) / d.Seconds()
		p.rate.add(rate, 0.5)
		p.since, p.bytes = now, 0
		if rate > growth*p.best {
			p.best, p.flat = rate, 0
		} else {
			p.flat++
		}
	}
}

// stopped ends a busy time. A sample too short to count by itself still does
// where nothing better is known.
func (p *path) stopped(now time.Time) {
	if d := now.Sub(p.since); p.busy && d > 0 && p.bytes > 0 && !p.rate.known {
		p.rate.add(float64(p.bytes)/d.Seconds(), 1)
	}
	p.busy = false
}

// window is how many bytes fill the path; 0 while unknown.
func (p *path) window() int64 {
	rtt := max(p.minRTT, leastRTT)
	if p.network > 0 {
		rtt = min(rtt, p.network+mostWait)
	}
	bdp := p.rate.value * rtt.Seconds()
	if p.flat < flatRounds {
		bdp *= 2
	}
	return int64(bdp)
}
