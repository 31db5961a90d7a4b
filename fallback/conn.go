package fallback

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// conn makes requests over a lane: at most one at a time, each in a goroutine that
// reports to the fetcher's loop by an outcome.
type conn struct {
	src  *source
	lane *lane

	// The loop's.
	seg    *segment // under way; nil: idle
	began  time.Time
	cancel context.CancelCauseFunc

	// Shared.
	got atomic.Int64 // bytes since began
	rtt atomic.Int64 // once an answer came, at least 1; ns

	// The goroutine's while one runs, else the loop's.
	floor floor
	buf   []byte // for the next segment; nil: none yet
}

// busy reports whether a request is under way.
func (c *conn) busy() bool { return c.seg != nil }

// speed is the expected rate of the next range, bytes a second; 0: not known.
func (c *conn) speed() float64 {
	if c.lane.rate > 0 {
		return c.lane.rate
	}
	return c.src.route.rate[c.src.by(c.lane)]
}

const (
	// aheadRTTs is how many round trips before its end a range is succeeded by one
	// on another connection: one for the request, and some for what the line delays.
	aheadRTTs = 1.5
	// coldRTTs is the same for a connection that has to be opened: TCP and TLS.
	coldRTTs = aheadRTTs + 2
	// sharedRTTs is the same on one connection, where nothing is lost by asking early: also
	// while what was sent waits for lost packets to be repaired, the sender has work.
	sharedRTTs = 8
)

// ending reports whether the range under way will have come by the time that an
// answer to next's request would.
func (c *conn) ending(now time.Time, next *conn) bool {
	rtt := time.Duration(c.rtt.Load())
	rate := float64(c.got.Load()) / max(now.Sub(c.began)-rtt, rtt, time.Millisecond).Seconds()
	ahead := aheadRTTs
	switch {
	case next.lane == c.lane:
		ahead = sharedRTTs
		rate = max(rate, c.lane.pace(now))
		rtt = cmp.Or(rtt, c.lane.rtt()) // what was asked for before it is still coming
	case next.lane.current(c.src.by(next.lane)) == nil:
		ahead = coldRTTs
	}
	from, to := c.seg.missing()
	return rtt > 0 && float64(to-from) <= rate*ahead*rtt.Seconds()
}

// wants is how many bytes to ask for next.
func (c *conn) wants() int64 {
	speed := c.speed()
	if speed == 0 && c.lane.rtt() >= farRTT && c.lane.got.Load() == 0 && c.fromBBR() {
		return farRange
	}
	return rangeSize(speed, c.src.rangeTime())
}

// fromBBR reports whether the next range comes from a sender with BBR, behind others over the
// same connection.
func (c *conn) fromBBR() bool {
	return c.src.overlaps() && c.src.connections.bbr && c.src.by(c.lane) == TCP
}

// next reports whether a range may begin on c, which is idle, as far as its lane goes: no
// other is under way there, but for one that is ending.
func (c *conn) next(now time.Time) bool {
	for _, other := range c.lane.conns {
		if other != c && other.busy() && !other.ending(now, c) {
			return false
		}
	}
	return true
}

// outcome is what became of a range.
type outcome struct {
	c         *conn
	transport Transport
	took      time.Duration
	rate      float64   // at which it came in the end, bytes a second; 0: nothing came
	err       error     // nil, a *fault, a *localError, or why the loop cancelled it
	guilty    []*source // sent bytes that did not verify
}

// Why the loop cancels a range.
var (
	errLost    = errors.New("another connection was faster")
	errBenched = errors.New("the upstream was benched")
	errStopped = errors.New("stopped")
)

// localError is an error of this end: no upstream can help.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }
