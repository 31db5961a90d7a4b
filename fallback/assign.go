package fallback

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// assign gives connections with nothing to do something: what others left, then
// what can be claimed, then help with what others are slow at. It reports
// whether there may be more to claim.
func (f *Fetcher) assign(ctx context.Context, now time.Time) (claimable bool) {
	claimable = true
	for _, c := range f.idle(now) {
		switch {
		case c.src.running(now, c) >= c.src.wanted():
			if claimable {
				continue // it stands by
			}
		case len(f.queue) > 0:
			seg := f.queue[0]
			f.queue = f.queue[1:]
			f.begin(ctx, now, c, seg)
			continue
		case claimable:
			first, count, ok := f.cfg.Pieces.Claim(ctx, rangeSize(c.speed()))
			if ok {
				f.begin(ctx, now, c, newSegment(f.cfg.Manifest, first, count))
				continue
			}
			claimable = false
		}
		f.help(ctx, now, c)
	}
	return claimable
}

// idle opens and closes connections as wanted, and returns those of usable
// upstreams that have nothing to do, the fastest first.
func (f *Fetcher) idle(now time.Time) []*conn {
	var idle []*conn
	for _, s := range f.sources {
		if !s.health.usable(now) {
			continue
		}
		s.fit(s.open(), f.cfg.Limits)
		for _, c := range s.conns {
			if !c.busy() {
				idle = append(idle, c)
			}
		}
	}
	slices.SortStableFunc(idle, func(a, b *conn) int { return cmp.Compare(b.speed(), a.speed()) })
	return idle
}

// fit makes connections until there are n, and ends idle ones beyond that.
func (s *source) fit(n int, limits Limits) {
	for excess := len(s.conns) - n; excess > 0; excess-- {
		i := slices.IndexFunc(s.conns, func(c *conn) bool { return !c.busy() })
		if i < 0 {
			return
		}
		s.conns[i].close()
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	for len(s.conns) < n {
		s.conns = append(s.conns, &conn{src: s, floor: floor{rate: limits.MinRate, window: limits.Window}})
	}
}

// drop breaks off all transfers and ends the idle connections.
func (s *source) drop(why error) {
	for _, c := range s.conns {
		if c.busy() {
			c.cancel(why)
		} else {
			c.close()
		}
	}
	s.conns = slices.DeleteFunc(s.conns, func(c *conn) bool { return !c.busy() })
}

// begin has c fetch what is missing of seg.
func (f *Fetcher) begin(ctx context.Context, now time.Time, c *conn, seg *segment) {
	s, limits := c.src, &f.cfg.Limits
	h := how{transport: s.route.next(now)}
	var stall time.Duration
	h.connect, stall = s.route.bounds(now, h.transport, limits)
	h.http2 = h.transport == TCP && s.route.http2
	if h.transport == QUIC {
		h.port = s.port
	}
	t := &transfer{f: f, c: c, seg: seg, how: h, answer: h.connect + limits.Answer, stall: stall}
	if c.link != nil && c.link.answered && c.link.how.transport == h.transport {
		h.connect = c.link.how.connect // is connected already
		t.how = h
		t.answer = limits.Answer
		if stall < limits.Stall {
			t.answer = stall // a new connection will tell whether TCP still works
		}
	}
	ctx, c.cancel = context.WithCancelCause(ctx)
	c.seg, c.began = seg, now
	c.got.Store(0)
	f.busy++
	go func() { f.outcomes <- t.run(ctx) }() // settle receives it; stop waits for all
}

// help has an idle connection help with the range that would be done last.
func (f *Fetcher) help(ctx context.Context, now time.Time, c *conn) {
	var busy []*conn
	var ranges []outstanding
	for _, s := range f.sources {
		for _, other := range s.conns {
			if other.busy() {
				o := other.seg.outstanding()
				o.age, o.got, o.rtt = now.Sub(other.began), other.got.Load(), time.Duration(other.rtt.Load())
				busy, ranges = append(busy, other), append(ranges, o)
			}
		}
	}
	i, ok := chooseHedge(ranges, c.speed())
	if !ok {
		return
	}
	if seg, ok := busy[i].seg.help(); ok {
		f.begin(ctx, now, c, seg)
	}
}
