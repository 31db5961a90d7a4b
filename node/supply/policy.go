package supply

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	// startWait is how long peers have to be of use before an upstream is asked
	// for, and crossWait how long where some are in other carriers, from which
	// pieces take longer to come.
	startWait = 500 * time.Millisecond
	crossWait = 2 * time.Second
	// readerStart is how long peers have to be named where a reader waits, and
	// readerWait how long they have to bring the piece that it waits for.
	readerStart = 100 * time.Millisecond
	readerWait  = time.Second
	// farWait is how long near peers have to be of use. Until then they share the
	// way across among themselves (package exchange).
	farWait = 5 * time.Second
	// lackWait is how long missing pieces may be with no connected peer.
	lackWait = 2 * time.Second
	// stallWait is how long peers that could send may send nothing.
	stallWait = 3 * time.Second
	// reachWait is how long none of the peers that the tracker named may be
	// connected before one of them is asked to dial us, and pushAgain how often.
	reachWait = 3 * time.Second
	pushAgain = 10 * time.Second
	// rateWindow is over how long the swarm's rate is taken.
	rateWindow  = 5 * time.Second
	sampleEvery = 250 * time.Millisecond
	// leastFloor is the rate below which a swarm is slow where the node's own
	// downlink is unknown; else it is one part in floorShare of that.
	leastFloor = 256 << 10
	floorShare = 20
	// afterHelp is how long after upstreams helped no waiting is due before they
	// help again: what was true a moment ago is likely to be still.
	afterHelp = 5 * time.Second
)

// view is what the policy looks at.
type view struct {
	shared    bool          // other nodes fetch the same, and may be near
	known     int           // peers that were named to the swarm
	knownNear int           // of those, the ones that may be in the same carrier
	peers     int           // connected
	useful    int           // of those, the ones that can give a missing piece
	near      int           // of those, the ones in the same carrier
	lacking   int           // missing pieces that no connected peer can give
	swarm     int64         // bytes received from peers so far
	reader    bool          // somebody waits for a piece that no upstream is to bring
	waited    time.Duration // the longest of these waits
}

// policy decides whether the swarm needs help, and why. The zero value but for
// floor is ready.
type policy struct {
	floor shoal.Rate // bytes/s

	alone, far, foreign, lacking, unreached since         // since when each has been so
	wait                                    time.Duration // how long peers had to be of use, when last looked at
	helped                                  time.Time
	pushed                                  time.Time
	moved                                   time.Time // when bytes last came from peers
	last                                    int64
	window                                  []sample // of the last rateWindow
}

type sample struct {
	at    time.Time
	bytes int64
}

// since is when something became true; zero while it is not.
type since struct{ at time.Time }

func (s *since) set(now time.Time, yes bool) {
	switch {
	case !yes:
		s.at = time.Time{}
	case s.at.IsZero():
		s.at = now
	}
}

// over is when that will have lasted for d; zero while it is not so.
func (s since) over(d time.Duration) time.Time {
	if s.at.IsZero() {
		return s.at
	}
	return s.at.Add(d)
}

func (s since) lasts(now time.Time, d time.Duration) bool {
	return !s.at.IsZero() && now.Sub(s.at) >= d
}

// floorFor is the rate below which a swarm is called slow.
func floorFor(down shoal.Rate) shoal.Rate {
	if down > 0 {
		return down / floorShare
	}
	return leastFloor
}

// observe takes in how things are. The reason is "" where the swarm is well off.
func (p *policy) observe(now time.Time, v view) api.LeaseReason {
	p.unreached.set(now, v.known > 0 && v.peers == 0)
	p.alone.set(now, v.useful == 0)
	p.far.set(now, v.useful > 0 && v.near == 0)
	p.lacking.set(now, v.lacking > 0)
	p.measure(now, v.swarm)

	p.wait = p.start(v)
	recent := p.helpedRecently(now)
	patience := func(d time.Duration) time.Duration {
		if recent {
			return 0
		}
		return d
	}
	p.foreign.set(now, v.known > 0 && v.knownNear == 0 && v.near == 0)
	allFar := p.foreign.lasts(now, 0) && (!v.shared || p.foreign.lasts(now, startWait)) // there is nobody to wait for
	switch {
	case p.unreached.lasts(now, reachWait) && (p.pushed.IsZero() || now.Sub(p.pushed) >= pushAgain):
		return api.Unreachable
	case p.far.lasts(now, farWait), allFar && v.useful > 0:
		return api.CrossCarrier
	case p.alone.lasts(now, patience(p.wait)):
		return api.NoPeers
	case v.useful > 0 && now.Sub(p.moved) >= stallWait:
		return api.Stalled
	case p.slow(now):
		return api.SlowPeers
	case p.lacking.lasts(now, patience(lackWait)), v.reader && v.waited >= readerWait:
		return api.Lacking
	case allFar:
		return api.CrossCarrier
	}
	return ""
}

// ends are when the waits that are under way will be over, and observe may say something
// else of the same view; zero, or in the past: that one is not under way. The rate and
// what lasts longer are left out: a moment more does not matter to them.
func (p *policy) ends() []time.Time {
	return []time.Time{
		p.unreached.over(reachWait), p.far.over(farWait), p.foreign.over(startWait),
		p.alone.over(p.wait), p.lacking.over(lackWait), p.moved.Add(stallWait),
	}
}

// start is how long peers have to be of use.
func (p *policy) start(v view) time.Duration {
	if v.reader && v.known == 0 {
		return readerStart
	}
	if v.knownNear < v.known {
		return crossWait
	}
	return startWait
}

// measure keeps the samples of the last rateWindow.
func (p *policy) measure(now time.Time, bytes int64) {
	if p.moved.IsZero() || bytes > p.last {
		p.moved = now
	}
	p.last = bytes
	if n := len(p.window); n == 0 || now.Sub(p.window[n-1].at) >= sampleEvery {
		p.window = append(p.window, sample{now, bytes})
	}
	for len(p.window) > 1 && now.Sub(p.window[1].at) >= rateWindow {
		p.window = p.window[1:]
	}
}

// slow reports whether the swarm was below the floor for a whole window.
func (p *policy) slow(now time.Time) bool {
	first := p.window[0]
	d := now.Sub(first.at)
	return d >= rateWindow && float64(p.last-first.bytes) < float64(p.floor)*d.Seconds()
}

func (p *policy) helpedRecently(now time.Time) bool {
	return !p.helped.IsZero() && now.Sub(p.helped) < afterHelp
}

// helping notes that an upstream is at work.
func (p *policy) helping(now time.Time) { p.helped = now }

// asked notes that the tracker was asked to have somebody dial us.
func (p *policy) asked(now time.Time) { p.pushed = now }
