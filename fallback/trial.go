package fallback

import (
	"fmt"
	"iter"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// trialSpan and trialRTTs round trips are how long both transports must have had work before
	// they are compared, and for how long they then are; at most maxTrialSpan.
	trialSpan    = 500 * time.Millisecond
	trialRTTs    = 10
	maxTrialSpan = 1500 * time.Millisecond
	// muteSteps is in how many steps at least a transport is found to be silent: an outage of the
	// whole path counts as one.
	muteSteps = 4
	// faded is the share of its goodput before a trial that is more than what the trial may have taken:
	// TCP that brings less than that has got worse by itself.
	faded = 0.1
	// maxTrialSpans is how many such times a trial lasts at most once it has connected.
	maxTrialSpans = 8
	// swift is the goodput over TCP, bytes a second, from which on HTTP/3 is not tried: it would take
	// a core or more.
	swift = 16 << 20
)

// trial finds out what the other transport of an upstream brings, beside the ranges that go
// by the current one. What it brings are pieces of the content, over a lane of its
// own, so that it costs little even where it brings little: nothing is claimed for it before it
// has connected, and what it has not brought in the end, others go on with.
type trial struct {
	lane  *lane
	until time.Time // it must have connected, and then compared
	span  time.Duration
	ready bool // it has connected
	seen  look
	warm  time.Duration // for which both have had work
	took  time.Duration // the same while they were compared
	own   int64         // bytes meanwhile
	rest  int64         // bytes of the others
	mute  time.Duration // for which it brought something, and the others nothing since
	heard time.Time     // up to when that is counted
}

// look is how things stood at the latest tick.
type look struct {
	at        time.Time
	own, rest int64 // bytes
	working   bool  // both have ranges under way
}

// errTried cancels the ranges by the transport that a trial decided against.
var errTried = fmt.Errorf("%w: the other transport is taken", shoal.ErrUnavailable)

// try begins a trial where one is due, and goes on with it.
func (f *Fetcher) try(now time.Time, s *source) {
	t := s.trial
	switch {
	case t == nil:
		if by := s.route.other(now); by != "" && s.busy() > 0 && s.health.usable(now) && s.worthTrying(by) {
			s.trial = f.newTrial(now, s, by)
		}
	case t.lane.by == s.route.current: // the other one has failed meanwhile
		s.adoptTrial()
	case !t.ready && t.lane.current(t.lane.by) != nil:
		t.ready, t.until = true, now.Add(maxTrialSpans*t.span)
	case !t.ready && !now.Before(t.until):
		f.trialFailed(now, s, silenceFault("connect", f.cfg.Limits.ConnectTCP))
	case t.ready && t.compare(now, s):
		f.compared(now, s)
	case t.ready && !now.Before(t.until): // there was too little to do
		s.endTrial()
		s.route.tryFrom = now.Add(otherAgain)
	}
}

// worthTrying reports whether a transport could bring more than the current one does by
// what was measured.
func (s *source) worthTrying(by Transport) bool {
	goodput := s.connections.before
	return goodput > 0 && (by == TCP || goodput < swift)
}

// newTrial begins to connect.
func (f *Fetcher) newTrial(now time.Time, s *source, by Transport) *trial {
	limits := f.cfg.Limits
	h, _ := s.how(now, by, &limits)
	h.connect = min(h.connect, limits.ConnectTCP)
	t := &trial{
		lane:  &lane{by: by, link: connect(s, h, limits.ConnectTCP, f.dial)},
		until: now.Add(limits.ConnectTCP),
		span:  min(max(trialSpan, trialRTTs*s.connections.rtt), maxTrialSpan),
	}
	s.furnish(t.lane, limits)
	return t
}

// compare takes in what came since the last tick and reports whether both transports have shown
// what they can do: not while the current one may have fallen silent. Only time in which both
// have work counts.
func (t *trial) compare(now time.Time, s *source) bool {
	before := t.seen
	l := look{at: now, own: t.lane.got.Load(), rest: max(s.rest(), before.rest), working: !t.lane.idle() && s.busy() > 0}
	working := before.working && l.working
	switch {
	case l.rest > before.rest:
		t.mute, t.heard = 0, now
	case !working:
		t.heard = now
	case l.own > before.own:
		t.mute += min(now.Sub(t.heard), t.span/muteSteps)
		t.heard = now
	}
	if working {
		d := l.at.Sub(before.at)
		if t.warm < t.span {
			t.warm += d
		} else {
			t.took += d
			t.own += l.own - before.own
			t.rest += l.rest - before.rest
		}
	}
	t.seen = l
	return t.silent() || t.took >= t.span && t.mute == 0
}

// silent reports whether nothing comes by the current transport any more, but by the trial.
func (t *trial) silent() bool { return t.mute >= t.span }

// rest is how many bytes came, but for those of a trial under way.
func (s *source) rest() int64 {
	bytes := s.bytes.Load()
	if s.trial != nil {
		bytes -= s.trial.lane.got.Load()
	}
	return bytes
}

// compared draws the conclusion.
func (f *Fetcher) compared(now time.Time, s *source) {
	t, current := s.trial, s.route.current
	if t.silent() {
		fault := silenceFault("transfer", t.mute)
		f.remember(s, current, 0, fault)
		s.route.compared(now, t.lane.by)
		f.moved(s, fault)
		return
	}
	own, rest := float64(t.own)/t.took.Seconds(), float64(t.rest)/t.took.Seconds()
	tcp, quic := own, rest
	if current == TCP {
		tcp, quic = rest, own
		if before := s.connections.before; rest > faded*before || rest >= own {
			tcp = max(rest, before) // the trial may have taken from it
		}
	}
	f.remember(s, TCP, tcp, nil)
	f.remember(s, QUIC, quic, nil)
	result := fmt.Sprintf("TCP %s/s, HTTP/3 %s/s", shoal.Size(tcp).Short(), shoal.Size(quic).Short())
	if !s.route.compared(now, better(tcp, quic)) {
		f.log.Debug("upstream: the other transport is no better", "upstream", Label(s.Name), "transport", current, "measured", result)
		s.endTrial()
		return
	}
	f.moved(s, fmt.Errorf("%w: slower than the other transport: %s", shoal.ErrUnavailable, result))
}

// moved has a trial's lane take the place of the upstream's others, because the route is by its
// transport now. What those were bringing keeps what has come, and is first in line for the new ones.
func (f *Fetcher) moved(s *source, why error) {
	f.log.Info("upstream: another transport is better", "upstream", Label(s.Name), "transport", s.route.current, "why", why)
	s.tcpErr = nil
	if s.route.current == QUIC {
		s.tcpErr = why
	}
	left := s.lanes
	s.lanes = nil
	s.adoptTrial()
	s.resetOnSwitch()
	for _, l := range left {
		s.retire(l)
	}
}

// trialFailed ends a trial that could not bring anything.
func (f *Fetcher) trialFailed(now time.Time, s *source, fault *fault) {
	if s.trial == nil { // a straggler's
		return
	}
	f.log.Debug("upstream: the other transport fails", "upstream", Label(s.Name), "transport", s.trial.lane.by, "why", fault)
	if ofTransport(fault.kind) {
		f.remember(s, s.trial.lane.by, 0, fault)
	}
	s.endTrial()
	s.route.notBetter(now)
}

// ofTransport reports whether a fault says something of the transport it was met on, and not only of
// the upstream, the content or its address.
func ofTransport(k faultKind) bool {
	switch k {
	case unreachable, stalled, slow, protocol:
		return true
	}
	return false
}

// endTrial gives what a trial was bringing back; without one, nothing happens.
func (s *source) endTrial() {
	if s.trial == nil {
		return
	}
	l := s.trial.lane
	s.trial = nil
	s.seen += l.got.Load() // is no news of the others
	s.retire(l)
}

// retire breaks off what a lane brings, which others go on with, and ends it.
func (s *source) retire(l *lane) {
	l.spent = true
	for _, c := range l.conns {
		if c.busy() {
			c.cancel(errTried)
		}
	}
	s.tidy(l)
}

// adoptTrial makes the trial's lane one of the upstream's.
func (s *source) adoptTrial() {
	l := s.trial.lane
	s.trial = nil
	l.by = ""
	s.lanes = append(s.lanes, l)
}

// by is the transport of a lane's next range.
func (s *source) by(l *lane) Transport {
	if l.by != "" {
		return l.by
	}
	return s.route.current
}

// inUse are the lanes on which ranges may begin.
func (s *source) inUse() iter.Seq[*lane] {
	return func(yield func(*lane) bool) {
		for _, l := range s.lanes {
			if !yield(l) {
				return
			}
		}
		if s.trial != nil && s.trial.ready {
			yield(s.trial.lane)
		}
	}
}
