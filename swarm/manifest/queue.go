package manifest

import (
	"errors"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// queue is whom to ask for one manifest, and when. Times are parameters; it is not
// safe for concurrent use.
type queue struct {
	known  map[shoal.NodeID]*candidate
	asking int
}

type candidate struct {
	swarm.Peer
	next   time.Time // not asked before this
	tries  int
	asking bool
	bad    bool // sent something else
}

func newQueue() *queue { return &queue{known: make(map[shoal.NodeID]*candidate)} }

// add learns of a peer, or of its new addresses, if there is room.
func (q *queue) add(p swarm.Peer, now time.Time) {
	if k := q.known[p.ID]; k != nil {
		k.Peer = p
		return
	}
	if len(q.known) < maxKnown {
		q.known[p.ID] = &candidate{Peer: p, next: now}
	}
}

// take returns a peer to ask now, which counts as being asked until done: one that
// has everything rather than another, then the one that has waited longest.
func (q *queue) take(now time.Time) (swarm.Peer, bool) {
	var best *candidate
	for _, k := range q.known {
		if k.asking || k.bad || now.Before(k.next) {
			continue
		}
		if best == nil || k.Seed && !best.Seed || k.Seed == best.Seed && k.next.Before(best.next) {
			best = k
		}
	}
	if best == nil || q.asking >= maxAsked {
		return swarm.Peer{}, false
	}
	best.asking = true
	q.asking++
	return best.Peer, true
}

// done notes why a peer did not give the manifest. One that sent something else is not
// asked again. One that is busy soon is; others come first meanwhile.
func (q *queue) done(id shoal.NodeID, why error, now time.Time) {
	k := q.known[id]
	q.asking--
	k.asking, k.bad = false, errors.Is(why, shoal.ErrCorrupt)
	most := lastRetry
	if errors.Is(why, errBusy) {
		most = busyRetry
	}
	k.next = now.Add(min(firstRetry<<k.tries, most))
	k.tries = min(k.tries+1, 10)
}

// wait is how long until take may have somebody; not ok where only done or add
// change that.
func (q *queue) wait(now time.Time) (d time.Duration, ok bool) {
	if q.asking >= maxAsked {
		return 0, false
	}
	for _, k := range q.known {
		if k.asking || k.bad {
			continue
		}
		if left := max(0, k.next.Sub(now)); !ok || left < d {
			d, ok = left, true
		}
	}
	return d, ok
}

// timer fires when take may have somebody; nil where only done or add change that.
func (q *queue) timer(now time.Time) <-chan time.Time {
	if d, ok := q.wait(now); ok {
		return time.After(d)
	}
	return nil
}
