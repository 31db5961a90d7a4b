package fallback

import (
	"context"
	"time"
)

// feelPulses takes note of what the lanes bring.
func (s *source) feelPulses(now time.Time) {
	for l := range s.inUse() {
		if l.idle() {
			l.pulse.reset()
		} else {
			l.pulse.observe(now, l.got.Load(), patience(l.rtt()))
		}
	}
}

// outstanding is what to know of the range under way for a hedge. Its pace is that of the
// lane, which first brings what was asked for before it; until that is known, its own so far.
func (c *conn) outstanding(now time.Time) outstanding {
	o := c.seg.outstanding()
	o.age, o.rtt = now.Sub(c.began), max(time.Duration(c.rtt.Load()), c.lane.rtt()) // its answer waits for the range before it
	pace, ok := c.lane.pulse.rate(now, c.lane.got.Load(), patience(c.lane.rtt()))
	if ok {
		o.left += c.ahead()
	} else {
		pace = float64(c.got.Load()) / max(o.age.Seconds(), 1e-3)
	}
	o.pace = pace
	return o
}

// ahead is how many bytes of ranges that were asked for earlier are still to come over the lane.
func (c *conn) ahead() (bytes int64) {
	for _, other := range c.lane.conns {
		if other.busy() && other.began.Before(c.began) {
			from, to := other.seg.missing()
			bytes += to - from
		}
	}
	return bytes
}

// hedge opens one more connection to an upstream where all have work, one has fallen well behind,
// and there is nothing to fetch but what is on its way. It stays until there is. A trial is over
// where its ranges are all that is waited for. more is whether there is more to fetch, which was
// asked for, or not.
func (f *Fetcher) hedge(ctx context.Context, now time.Time, more, asked bool) {
	for _, s := range f.sources {
		switch {
		case more:
			s.hedging = false
		case !s.hedging && s.health.usable(now) && s.behind(now):
			s.hedging = asked || f.drained(ctx, now)
		}
		if !more && asked && s.trial != nil && s.busy() == 0 {
			s.endTrial()
			s.route.tryFrom = now.Add(otherAgain)
		}
	}
}

// drained finds out whether there is nothing to claim, at most once in a while.
func (f *Fetcher) drained(ctx context.Context, now time.Time) bool {
	if now.Before(f.askFrom) {
		return false
	}
	f.askFrom = now.Add(hedgeAge)
	first, count, ok := f.cfg.Pieces.Claim(ctx, 1)
	if ok {
		f.cfg.Pieces.Release(first, count)
	}
	return !ok
}

// behind reports whether a new connection would help with a range of a lane that brought
// something, and none stands by.
func (s *source) behind(now time.Time) bool {
	var ranges []outstanding
	for _, l := range s.lanes {
		if l.idle() {
			return false
		}
		for _, c := range l.conns {
			if c.busy() && l.got.Load() > 0 {
				ranges = append(ranges, c.outstanding(now))
			}
		}
	}
	_, ok := chooseHedge(ranges, s.route.rate[s.route.current])
	return ok
}
