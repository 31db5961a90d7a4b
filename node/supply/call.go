package supply

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	leastRetry = 200 * time.Millisecond
	mostRetry  = time.Minute
	failRetry  = 2 * time.Second // after a call that failed
	// readersEvery is how often new readers are reason enough to ask.
	readersEvery = 500 * time.Millisecond
)

// contact is how things stand with the tracker.
type contact struct {
	calling bool      // a call is under way
	retry   time.Time // no new lease is asked for before this
	silent  time.Time // since when no tracker has answered; zero: one did
	own     time.Time // when the node may allow itself something
	told    time.Time // when the tracker was last told what readers wait for
	early   time.Time // a new reader is no reason to ask before retry until this
	asked   bool      // a lease has been asked for, and none came since
}

// asking reports whether a lease is waited for.
func (c *contact) asking() bool { return c.asked }

// answer is what a call came to.
type answer struct {
	request api.LeaseRequest
	reply   api.LeaseReply
	err     error
}

// call makes the call of the tracker that is due, one at a time: to renew a
// loan, to ask for one, or to give one back.
func (s *Supply) call(ctx context.Context, now time.Time, need api.LeaseReason, held *shoal.PieceSet, want wanted) {
	s.tracker.asked = s.tracker.asked && need != ""
	if s.tracker.calling {
		return
	}
	r := api.LeaseRequest{Node: s.cfg.Node, Session: s.cfg.Session, Content: s.cfg.Manifest.ID(), Reason: need}
	if s.cfg.Task != nil {
		r.Task = s.cfg.Task()
	}
	for _, l := range s.loans {
		if l.due(now) && !now.Before(s.tracker.retry) {
			r.Lease, r.Reason = l.ID, cmp.Or(need, api.NoPeers)
			r.Used = s.spent(l, held)
			s.send(ctx, r)
			return
		}
	}
	var back *loan
	if len(s.finished) > 0 {
		back = s.finished[0]
		r.Lease, r.Used, r.Done = back.ID, back.used, true
	}
	switch {
	case need != "" && s.tracker.may(now, want) && (need == api.Unreachable || s.hungry(held) || s.missed(want)):
		if back != nil {
			s.finished = s.finished[1:]
		}
		r.Need = s.missing(held)
		r.Excluded = s.trouble.excluded(now)
		if r.Want = want.runs; len(r.Want) > 0 {
			s.tracker.told, s.tracker.early = now, now.Add(readersEvery)
		}
		if need == api.Unreachable {
			s.policy.asked(now)
		}
		s.tracker.asked = true
		s.send(ctx, r)
	case back != nil:
		s.finished = s.finished[1:]
		s.running.Go(func() {
			call, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
			defer cancel()
			s.giveBack(call, back.ID, back.used)
		})
	}
}

// may reports whether a lease may be asked for: also before the time that the
// tracker named, where somebody has begun to wait since.
func (c *contact) may(now time.Time, want wanted) bool {
	return !now.Before(c.retry) || want.newest.After(c.told) && !now.Before(c.early)
}

// missed reports whether somebody waits for what the tracker has not been told, nor
// leased. One loan is kept for them.
func (s *Supply) missed(want wanted) bool {
	return want.newest.After(s.tracker.told) && len(s.loans) < maxLoans
}

// hungry reports whether another loan is wanted: the next one is asked for
// when what is leased and has not come is less than half of the last, or will have
// come soon.
func (s *Supply) hungry(held *shoal.PieceSet) bool {
	if len(s.loans) == 0 || len(s.loans) >= maxLoans-1 {
		return len(s.loans) == 0
	}
	var missing int64
	for _, l := range s.loans {
		_, _, here := l.progress(s.cfg.Manifest, held)
		missing += l.Bytes - here
	}
	return missing <= max(s.loans[len(s.loans)-1].Bytes/2, int64(float64(s.goodput())*ahead.Seconds()))
}

// goodput is the rate at which upstreams send.
func (s *Supply) goodput() (rate shoal.Rate) {
	for _, w := range s.workers {
		for _, u := range w.fetcher.Stats().Upstreams {
			rate += u.Goodput
		}
	}
	return rate
}

// missing is how many bytes are not here yet.
func (s *Supply) missing(held *shoal.PieceSet) (n int64) {
	for piece := range held.Missing() {
		n += int64(s.cfg.Manifest.PieceSize(piece))
	}
	return n
}

func (s *Supply) send(ctx context.Context, r api.LeaseRequest) {
	s.tracker.calling = true
	s.running.Go(func() {
		call, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		reply, err := s.cfg.Leases.Lease(call, r)
		select {
		case s.replies <- answer{r, reply, err}:
			return
		case <-ctx.Done():
		}
		if l := reply.Lease; err == nil && l != nil && (r.Lease == "" || r.Done) { // it came too late
			parting, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
			defer cancel()
			s.giveBack(parting, l.ID, 0)
		}
	})
}

func (s *Supply) giveBack(ctx context.Context, id string, used int64) {
	if err := s.cfg.Leases.ReturnLease(ctx, id, used); err != nil {
		s.cfg.Log.Debug("could not give a lease back; it expires", "lease", id, "err", err)
	}
}

// answered acts on the tracker's answer.
func (s *Supply) answered(ctx context.Context, now time.Time, a answer) {
	c := &s.tracker
	c.calling = false
	renewal := a.request.Lease != "" && !a.request.Done
	if a.err != nil {
		c.retry, c.early = now.Add(failRetry), now.Add(failRetry)
		s.trouble.refused = ""
		// A tracker that answers with an error, even that it is too busy, is there:
		// what it does not grant is not to be had.
		if api.Answered(a.err) || !errors.Is(a.err, shoal.ErrUnavailable) {
			s.cfg.Log.Debug("no lease", "content", s.cfg.Manifest.ID(), "err", a.err)
		} else {
			s.unanswered(ctx, now)
		}
		return
	}
	c.silent, c.own = time.Time{}, time.Time{}
	if l := a.reply.Lease; l != nil {
		if err := check(*l, s.cfg.Manifest.NumPieces()); err != nil {
			s.cfg.Log.Warn("the tracker granted nonsense", "err", err)
			c.retry = now.Add(failRetry)
			return
		}
		s.trouble.refused, c.asked = "", false
		if renewal {
			s.renewed(*l, now)
		} else {
			s.granted(ctx, *l, now)
		}
		return
	}
	if renewal {
		s.over(ctx, a.request.Lease, now)
		return
	}
	s.trouble.refused = a.reply.Reason
	wait := min(max(a.reply.RetryAfter, leastRetry.Seconds()), mostRetry.Seconds())
	c.retry = now.Add(time.Duration(wait * float64(time.Second)))
}

func (s *Supply) granted(ctx context.Context, lease api.Lease, now time.Time) {
	w, err := s.employ(ctx, lease)
	l := newLoan(lease, now)
	if err != nil {
		s.cfg.Log.Warn("cannot use an upstream", "upstream", fallback.Label(lease.Upstream.Name), "err", err)
		s.trouble.bench(lease.Upstream.Name, err.Error())
		if l.ID != "" {
			s.finished = append(s.finished, l)
		}
		return
	}
	l.worker = w
	s.loans = append(s.loans, l)
	s.allow(w, now)
	s.cfg.Log.Debug("lease", "content", s.cfg.Manifest.ID(), "upstream", fallback.Label(lease.Upstream.Name), "bytes", lease.Bytes, "rate", lease.Rate)
}

func (s *Supply) renewed(lease api.Lease, now time.Time) {
	for _, l := range s.loans {
		if l.ID == lease.ID {
			l.extend(lease.Expires, now)
		}
	}
}

// over ends a loan that the tracker does not renew.
func (s *Supply) over(ctx context.Context, id string, now time.Time) {
	for _, l := range s.loans {
		if l.ID == id {
			s.breakOff(ctx, l, now, s.cfg.Held())
			return
		}
	}
}

// unanswered applies the node's own rule while no tracker answers.
func (s *Supply) unanswered(ctx context.Context, now time.Time) {
	c := &s.tracker
	if c.silent.IsZero() {
		c.silent = now
		c.own = now.Add(aloneAfter + s.spread())
	}
	if now.Before(c.own) || len(s.loans) > 0 {
		return
	}
	usable := func(name string) bool { return s.trouble.usable(name, now) }
	if l, ok := ownLease(s.cfg.Manifest, s.cfg.Held(), usable, s.rng); ok {
		s.granted(ctx, l, now)
		c.own = now.Add(aloneTime + s.spread())
	}
}

func (s *Supply) spread() time.Duration { return time.Duration(s.rng.Int64N(int64(aloneSpread))) }
