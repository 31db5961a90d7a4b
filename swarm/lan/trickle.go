package lan

import (
	"math/rand/v2"
	"time"
)

// Timing of queries (RFC 6206, whose names these are).
const (
	firstWindow   = 250 * time.Millisecond // the first query is sent at random within it
	minInterval   = 500 * time.Millisecond // Imin
	maxInterval   = 64 * time.Second       // Imax
	redundancy    = 3                      // k: heard so often in an interval, a query is not sent
	maxSuppressed = 3                      // intervals running, while no holder is known
	hintPause     = time.Minute            // between two restarts
)

// trickle times the queries for one content. Times are parameters; it is not
// safe for concurrent use.
type trickle struct {
	rng        *rand.Rand
	length     time.Duration // of the interval
	fire, end  time.Time
	fired      bool
	heard      int
	suppressed int // intervals running
	hinted     time.Time
}

func newTrickle(now time.Time, rng *rand.Rand) *trickle {
	t := &trickle{rng: rng}
	t.restart(now)
	return t
}

// restart begins again with the shortest interval.
func (t *trickle) restart(now time.Time) {
	t.length, t.end = minInterval, now.Add(minInterval)
	t.fire = now.Add(time.Duration(t.rng.Int64N(int64(firstWindow))))
	t.fired, t.heard = false, 0
}

// hear counts somebody else's query for the same.
func (t *trickle) hear() { t.heard++ }

// hint restarts where that was not done lately: there may be somebody new.
func (t *trickle) hint(now time.Time) {
	if t.length > minInterval && (t.hinted.IsZero() || now.Sub(t.hinted) >= hintPause) {
		t.hinted = now
		t.restart(now)
	}
}

// next is when due is to be called.
func (t *trickle) next() time.Time {
	if t.fired {
		return t.end
	}
	return t.fire
}

// due reports whether to ask now; known says that a holder is. Others that ask
// cannot keep a node that knows of no holder silent for ever.
func (t *trickle) due(now time.Time, known bool) (ask bool) {
	if !t.fired && !now.Before(t.fire) {
		t.fired = true
		ask = t.heard < redundancy || t.suppressed >= maxSuppressed && !known
		if t.suppressed++; ask {
			t.suppressed = 0
		}
	}
	for !now.Before(t.end) { // more than once where the machine slept
		t.length = min(2*t.length, maxInterval)
		half := t.length / 2
		t.fire = t.end.Add(half + time.Duration(t.rng.Int64N(int64(half))))
		t.end = t.end.Add(t.length)
		t.fired, t.heard = false, 0
	}
	return ask
}
