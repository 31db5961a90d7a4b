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
	claimable, asked := true, false
	for _, c := range f.idle(now) {
		switch {
		case c.lane.by == "" && c.src.running(now, c) >= c.src.wanted():
			if claimable && !c.src.hedging {
				continue // it stands by
			}
		case len(f.queue) > 0:
			seg := f.queue[0]
			f.queue = f.queue[1:]
			f.begin(ctx, now, c, seg)
			continue
		case claimable:
			asked = true
			first, count, ok := f.cfg.Pieces.Claim(ctx, c.wants())
			if ok {
				f.begin(ctx, now, c, newSegment(f.cfg.Manifest, first, count))
				continue
			}
			claimable = false
		}
		f.help(ctx, now, c)
	}
	f.hedge(ctx, now, asked && claimable || len(f.queue) > 0, asked)
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
		s.learn()
		s.fit(s.open(), f.cfg.Limits)
		for l := range s.inUse() {
			i := slices.IndexFunc(l.conns, func(c *conn) bool { return !c.busy() })
			if i >= 0 && l.conns[i].next(now) {
				idle = append(idle, l.conns[i])
			}
		}
	}
	slices.SortStableFunc(idle, func(a, b *conn) int { return cmp.Compare(b.speed(), a.speed()) })
	return idle
}

// fit makes lanes until there are n, and ends idle ones beyond that.
func (s *source) fit(n int, limits Limits) {
	for excess := len(s.lanes) - n; excess > 0; excess-- {
		i := slices.IndexFunc(s.lanes, (*lane).idle)
		if i < 0 {
			return
		}
		s.remove(s.lanes[i])
	}
	for len(s.lanes) < n {
		l := s.lane()
		s.furnish(l, limits)
		s.lanes = append(s.lanes, l)
	}
	if s.connections.rtt > 0 { // it is known how many are to be used
		s.dismiss()
	}
}

// furnish gives a new lane its conns.
func (s *source) furnish(l *lane, limits Limits) {
	for range s.depth() {
		l.conns = append(l.conns, &conn{src: s, lane: l, floor: floor{rate: limits.MinRate, window: limits.Window}})
	}
	s.conns = append(s.conns, l.conns...)
}

// dismiss ends the lanes that were made ahead of time and are not in use.
func (s *source) dismiss() {
	for _, l := range s.spares {
		l.close()
	}
	s.spares = nil
}

// lane is a new lane, or one that was made ahead of time.
func (s *source) lane() *lane {
	if len(s.spares) == 0 {
		return new(lane)
	}
	l := s.spares[0]
	s.spares = s.spares[1:]
	return l
}

// remove ends an idle lane.
func (s *source) remove(l *lane) {
	l.close()
	s.lanes = slices.DeleteFunc(s.lanes, func(other *lane) bool { return other == l })
	s.conns = slices.DeleteFunc(s.conns, func(c *conn) bool { return c.lane == l })
}

// drop breaks off all transfers and ends the idle connections.
func (s *source) drop(why error) {
	for _, c := range s.conns {
		if c.busy() {
			c.cancel(why)
		}
	}
	for _, l := range slices.Clone(s.lanes) {
		if l.idle() {
			s.remove(l)
		}
	}
	s.endTrial()
}

// begin has c fetch what is missing of seg.
func (f *Fetcher) begin(ctx context.Context, now time.Time, c *conn, seg *segment) {
	s, limits := c.src, &f.cfg.Limits
	h, stall := s.how(now, s.by(c.lane), limits)
	t := &transfer{f: f, c: c, seg: seg, how: h, answer: h.connect + limits.Answer, stall: stall}
	if c.lane.current(h.transport) != nil { // is connected already
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

// how is what a range that goes by t needs, and how long it may be silent.
func (s *source) how(now time.Time, t Transport, limits *Limits) (h how, stall time.Duration) {
	h.transport = t
	h.connect, stall = s.route.bounds(now, h.transport, s.connections.rtt, limits)
	h.http2 = h.transport == TCP && s.route.http2
	if h.transport == QUIC {
		h.port = s.port
	}
	return h, stall
}

// help has an idle connection help with the range that would be done last.
func (f *Fetcher) help(ctx context.Context, now time.Time, c *conn) {
	var busy []*conn
	var ranges []outstanding
	for _, s := range f.sources {
		for _, other := range s.conns {
			if other.busy() && other.lane != c.lane {
				busy, ranges = append(busy, other), append(ranges, other.outstanding(now))
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
