package upload

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	settleTime = 2 * time.Second // of sending, before a speed means something
	settleRTTs = 15
	doubtEvery = 30 * time.Second // between looks at one path

	patience = 30 * time.Second // that an upload must still take for the other transport to be looked at
	lookTime = time.Second      // at least, of a look: queues on the way fill in less, and take it for speed

	// What another way must be better by: single measurements differ that much by chance,
	// and it has to be opened first.
	clearly  = 1.25
	moveTime = 1.5 // seconds
	lookGain = 3   // times the time that a look costs must be there to be won
)

// doubts decides when an upload that runs looks whether another way is faster. Its methods are
// pure but for what they remember: time comes in as a parameter.
type doubts struct {
	looked map[glance]time.Time
}

// glance is a kind of look at a path.
type glance struct {
	path   netprobe.Path
	beside bool
}

// pace is how an upload goes on.
type pace struct {
	active time.Duration // for which there was sending
	speed  shoal.Rate    // see [speedometer.best]
	usual  shoal.Rate    // see [speedometer.usual]
	left   int64         // bytes that nobody is sending yet
	full   bool          // this end's line carries no more, as far as is known
	route  route
}

// beside is the speed that another way is compared with. The other transport is compared with the usual one:
// where something polices a connection its bytes leave in bursts, of which one second may hold a lot.
func (at pace) beside(p prospect) shoal.Rate {
	if p.same {
		return at.usual
	}
	return at.speed
}

// prospect is another way to send.
type prospect struct {
	route  route
	hope   shoal.Rate // how fast it may be at best
	lacks  int64      // bytes that its server does not have, as far as is known
	beside bool       // it is looked at while sending goes on
	same   bool       // it leads to the same server
}

// next is the way to look at now; false where nothing can be won by it, or no speed can be told.
// An upload that stands still has no speed: that its connections are of no use shows soon, and
// that other servers are faster than none proves nothing when a line comes back.
func (d *doubts) next(now time.Time, at pace, others []prospect) (best prospect, ok bool) {
	if at.active < max(settleTime, settleRTTs*at.route.rtt) || at.speed <= 0 {
		return prospect{}, false
	}
	most := 0.0
	for _, p := range others {
		here := seconds(at.left, at.beside(p))
		last, before := d.looked[glance{p.route.path, p.beside}]
		gain := here - seconds(p.lacks, p.hope)
		switch {
		case at.beside(p) <= 0, !worthMoving(at.left, at.beside(p), p.lacks, p.hope), gain <= most, gain < lookGain*p.cost():
		case before && now.Sub(last) < doubtEvery:
		case p.same && (here < patience.Seconds() || at.full && before):
		case ok && p.same && !best.same: // another server brings more than another protocol
		default:
			best, most, ok = p, gain, true
		}
	}
	if ok {
		if d.looked == nil {
			d.looked = map[glance]time.Time{}
		}
		d.looked[glance{best.route.path, best.beside}] = now
	}
	return best, ok
}

// cost is how long, in seconds, nothing is sent because of a look.
func (p prospect) cost() float64 {
	if p.beside {
		return 0
	}
	return (p.time() + graceRTTs*p.route.rtt).Seconds()
}

// time is how long a look measures.
func (p prospect) time() time.Duration { return max(lookTime, stepTime(p.route.rtt)) }

// worthMoving reports whether another way ends clearly sooner: one that carries all that
// its server lacks at a speed, where the present one has so much left.
func worthMoving(left int64, speed shoal.Rate, lacks int64, there shoal.Rate) bool {
	if there <= 0 {
		return false
	}
	return seconds(left, max(1, speed)) > clearly*seconds(lacks, there)+moveTime
}

// seconds is how long n bytes take.
func seconds(n int64, speed shoal.Rate) float64 { return float64(n) / float64(speed) }
