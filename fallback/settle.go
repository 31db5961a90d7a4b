package fallback

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// settle takes what became of a range. An error is of this end, and Run's.
func (f *Fetcher) settle(now time.Time, o outcome) error {
	c, seg := o.c, o.c.seg
	s := c.src
	f.busy--
	c.cancel(nil)
	c.seg = nil
	defer s.tidy(c.lane)
	s.learn()
	for _, g := range o.guilty {
		f.blame(now, g, faultf(corrupted, "%w: sent part of a piece that did not verify, and did when another one sent it", shoal.ErrCorrupt))
	}
	if o.err == nil {
		f.complete(c, seg, o)
		return nil
	}
	f.giveBack(now, seg)
	if fault, ok := errors.AsType[*fault](o.err); ok {
		f.failed(now, c, o.transport, fault)
	} else if o.err == errLost && float64(c.got.Load()) < float64(f.cfg.Limits.MinRate)*o.took.Seconds() {
		s.health.note(now, faultf(slow, "%w: another connection was faster: %d bytes in %s", shoal.ErrUnavailable, c.got.Load(), round(o.took)))
	} else if local, ok := errors.AsType[*localError](o.err); ok {
		return local.err
	}
	return nil
}

// tidy ends a lane that is of no further use once it is idle.
func (s *source) tidy(l *lane) {
	if l.idle() && (l.spent || s.health.final) {
		s.remove(l)
	}
}

// complete notes a range that came whole.
func (f *Fetcher) complete(c *conn, seg *segment, o outcome) {
	c.src.health.succeed()
	if o.rate > 0 {
		c.lane.rate = o.rate
		c.src.route.finished(o.transport, o.rate)
		if c.src.route.current == TCP {
			c.src.tcpErr = nil
		}
		c.src.resetOnSwitch()
	}
	if rival := f.rival(seg); rival != nil {
		rival.cancel(errLost)
	}
}

// failed decides what a fault means for its upstream.
func (f *Fetcher) failed(now time.Time, c *conn, t Transport, fault *fault) {
	s := c.src
	if fault.kind == mixed {
		return
	}
	if c.lane.by != "" && fault.kind != corrupted { // the upstream itself is well
		f.trialFailed(now, s, fault)
		return
	}
	before := s.route.current
	again := s.route.failed(now, t, fault.kind)
	if s.route.current != before {
		f.remember(s, before, 0, fault)
	}
	if again {
		if t == TCP {
			s.tcpErr = fault.err
			for _, l := range s.lanes { // a new connection tells sooner than those that stand by
				if l.idle() {
					l.close()
				}
			}
		}
		f.log.Debug("upstream: another way", "upstream", Label(s.Name), "transport", s.route.current, "why", fault)
	} else {
		if t == QUIC && s.tcpErr != nil {
			fault.err = fmt.Errorf("over HTTP/3: %w; over TCP: %w", fault.err, s.tcpErr)
		}
		f.blame(now, s, fault)
	}
	s.resetOnSwitch()
}

// resetOnSwitch begins with few connections anew where the transport is another.
func (s *source) resetOnSwitch() {
	if s.connections.transport != s.route.current {
		s.connections = newConnections(s.route.current, s.Kind)
	}
}

// blame lets an upstream cool down, or benches it.
func (f *Fetcher) blame(now time.Time, s *source, fault *fault) {
	if s.health.final {
		return
	}
	s.health.fail(now, fault, f.cfg.Limits.Backoff, f.rng)
	if s.health.final {
		f.log.Warn("upstream benched", "content", f.cfg.Manifest.ID(), "upstream", Label(s.Name), "why", fault)
		s.drop(errBenched)
		return
	}
	f.log.Info("upstream cools down", "content", f.cfg.Manifest.ID(), "upstream", Label(s.Name), "until", s.health.until, "why", fault)
}

// giveBack puts what is missing of a segment into the queue, unless another
// connection is at it or was faster.
func (f *Fetcher) giveBack(now time.Time, seg *segment) {
	rival := f.rival(seg)
	if seg.won() || rival != nil {
		f.wasted.Add(int64(seg.drop()))
		if rival != nil && !seg.won() {
			rival.seg.alone()
		}
		return
	}
	seg.alone()
	if _, count := seg.pieces(); count > 0 {
		seg.queued = now
		f.queue = append(f.queue, seg)
	}
}

// rival is the other connection that fetches seg's piece; nil: none does.
func (f *Fetcher) rival(seg *segment) *conn {
	if seg.race == nil {
		return nil
	}
	for _, s := range f.sources {
		for _, c := range s.conns {
			if c.busy() && c.seg != seg && c.seg.race == seg.race {
				return c
			}
		}
	}
	return nil
}

// tick does what time alone asks for.
func (f *Fetcher) tick(now time.Time) {
	f.release(func(seg *segment) bool { return now.Sub(seg.queued) >= holdClaims })
	for _, s := range f.sources {
		bytes := s.bytes.Load()
		if rest := s.rest(); rest > s.seen {
			s.seen = rest
			if s.route.current == TCP {
				s.route.heard(now)
			}
		}
		s.meter.observe(now, bytes)
		s.learn()
		working := s.busy() >= s.wanted() && !s.health.suspect() && (s.trial == nil || !s.trial.ready)
		s.connections.observe(now, bytes, working)
		s.feelPulses(now)
		f.recall(now, s)
		f.try(now, s)
	}
}

// release gives claims in the queue back that are no use holding.
func (f *Fetcher) release(which func(*segment) bool) {
	f.queue = slices.DeleteFunc(f.queue, func(seg *segment) bool {
		if !which(seg) {
			return false
		}
		f.wasted.Add(int64(seg.drop()))
		f.cfg.Pieces.Release(seg.pieces())
		return true
	})
}
