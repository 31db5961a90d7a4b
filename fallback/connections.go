package fallback

import "time"

const (
	minGain      = 1.10 // what one more step must bring
	nearRTT      = 80 * time.Millisecond
	minSpan      = time.Second // of a measurement
	minSettling  = 500 * time.Millisecond
	spanRTTs     = 10
	firstHold    = 10 * time.Second // until a step that did not pay is tried again
	maxHoldTimes = 6
)

// connections decides how many an upstream gets. It begins with one; once the
// round-trip time is known, with as many as usually pay (docs/adr). From there
// it adds one, or a quarter where there are many, and keeps them if goodput
// rose by a tenth; else it goes back and holds.
type connections struct {
	transport Transport

	n     int // wanted now
	start int // once connected
	most  int
	rtt   time.Duration // 0: not known

	span    span
	before  float64 // goodput without the step under trial
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

func newConnections(t Transport) connections {
	c := connections{transport: t, n: 1, start: 2, most: 8, holdFor: firstHold}
	if t == QUIC {
		c.start, c.most = 4, 16
	}
	return c
}

// connected notes the round-trip time of a connection that works.
func (c *connections) connected(rtt time.Duration) {
	if c.rtt > 0 {
		return
	}
	c.rtt = max(rtt, 1)
	if rtt >= nearRTT {
		c.start = max(c.start, 4)
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
	c.prev = 0
	if c.n < c.most && !now.Before(c.hold) && goodput > 0 {
		c.before, c.prev = goodput, c.n
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
