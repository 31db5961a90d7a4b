package fallback

import "time"

const (
	minGain  = 1.10 // what one more step must bring
	farRTT   = 80 * time.Millisecond
	farStart = 4 // connections from there on: one takes long to find out how fast it may send
	// ample is the rate of one connection, bytes/s, at which a sender that does not
	// take losses for congestion is not held back by them.
	ample        = 1 << 20
	minSpan      = time.Second // of a measurement
	minSettling  = 500 * time.Millisecond
	spanRTTs     = 10
	firstHold    = 10 * time.Second // until a step that did not pay is tried again
	maxHoldTimes = 6
)

// connections decides over how many connections ranges of an upstream are to come at
// once: in how many lanes. It begins with one; once the round-trip time is known,
// with as many as usually pay (docs/adr). Once goodput no longer rises by itself it
// adds one, or a quarter where there are many, and keeps them if goodput rose by a
// tenth; else it goes back and holds. It leaves those alone that come at an ample
// rate from a sender with BBR: each of these takes the line for its own, so that two
// of them keep its queue full, and what each loses there it has to repair over that queue.
type connections struct {
	transport Transport
	bbr       bool // what the other end sends by, over TCP

	n     int // wanted now
	start int // once connected
	most  int
	rtt   time.Duration // 0: not known

	span    span
	before  float64 // the latest goodput; without the step under trial, where there is one
	prev    int     // connections without it; 0: none is under trial
	hold    time.Time
	holdFor time.Duration
}

// span is one measurement.
type span struct {
	settled time.Time // when it may begin; zero: not set
	begun   time.Time // zero: not yet
	bytes   int64     // counted by then
}

func newConnections(t Transport, k Kind) connections {
	c := connections{transport: t, n: 1, start: 2, most: 8, holdFor: firstHold}
	switch {
	case t == QUIC:
		c.start, c.most = 4, 16
	case k == Node:
		c.start, c.bbr = 1, true
	}
	return c
}

// connected notes the round-trip time of a connection that works.
func (c *connections) connected(rtt time.Duration) {
	if c.rtt > 0 {
		return
	}
	c.rtt = max(rtt, 1)
	if rtt >= farRTT && !c.bbr {
		c.start = max(c.start, farStart)
	}
	c.n = max(c.n, c.start)
}

// observe is told, every now and then, how many bytes came so far and whether
// all connections had work all the time.
func (c *connections) observe(now time.Time, bytes int64, working bool) {
	if c.rtt == 0 || !working {
		c.restart(now)
		return
	}
	s := &c.span
	switch {
	case s.settled.IsZero():
		c.restart(now)
	case now.Before(s.settled):
	case s.begun.IsZero():
		s.begun, s.bytes = now, bytes
	case now.Sub(s.begun) >= max(minSpan, spanRTTs*c.rtt):
		c.judge(now, float64(bytes-s.bytes)/now.Sub(s.begun).Seconds())
		c.restart(now)
	}
}

// judge takes the goodput of a whole span.
func (c *connections) judge(now time.Time, goodput float64) {
	if c.prev > 0 && goodput < minGain*c.before {
		c.n, c.prev = c.prev, 0
		c.hold = now.Add(c.holdFor)
		c.holdFor = min(2*c.holdFor, maxHoldTimes*firstHold)
		return
	}
	rises := c.prev == 0 && goodput >= minGain*c.before
	c.before, c.prev = goodput, 0
	ample := c.bbr && goodput >= float64(c.n*ample)
	if c.n < c.most && !now.Before(c.hold) && goodput > 0 && !rises && !ample {
		c.prev = c.n
		step := max(1, c.n/4)
		if c.n += step; c.most-c.n < step { // a smaller one would show no gain
			c.n = c.most
		}
	}
}

// restart discards what was measured; a new span begins when connections have
// got up to speed.
func (c *connections) restart(now time.Time) {
	c.span = span{settled: now.Add(max(minSettling, spanRTTs*c.rtt))}
}
