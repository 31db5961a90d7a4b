package supply

import (
	"context"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// keepIdle is how long a worker without a lease keeps its connections.
const keepIdle = 10 * time.Second

// settle ends the loans whose pieces are all here and those that have expired,
// and the workers that have had none for a while.
func (s *Supply) settle(ctx context.Context, now time.Time, held *shoal.PieceSet) {
	for _, l := range slices.Clone(s.loans) {
		if missing, _, _ := l.progress(s.cfg.Manifest, held); missing == 0 {
			s.end(l, now, held)
		} else if !now.Before(l.expires) {
			s.breakOff(ctx, l, now, held)
		}
	}
	if len(s.loans) > 0 {
		s.policy.helping(now)
	}
	for name, w := range s.workers {
		if !w.idle.IsZero() && now.Sub(w.idle) >= keepIdle {
			w.cancel()
			delete(s.workers, name)
		}
	}
}

// end takes a loan out of use; it is given back with the next call.
func (s *Supply) end(l *loan, now time.Time, held *shoal.PieceSet) {
	l.used = s.spent(l, held)
	l.worker.charged += l.used
	s.loans = slices.DeleteFunc(s.loans, func(other *loan) bool { return other == l })
	s.allow(l.worker, now)
	if l.ID != "" {
		s.finished = append(s.finished, l)
	}
}

// breakOff ends a loan of which not all has come, and what is being read by it:
// its pieces are another node's now. Other loans of its worker get a new one.
func (s *Supply) breakOff(ctx context.Context, l *loan, now time.Time, held *shoal.PieceSet) {
	s.end(l, now, held)
	// Its pieces not having come, an upstream that fails has had its time: the next
	// lease must not be on it, where there is another.
	for _, u := range l.worker.fetcher.Stats().Upstreams {
		s.faults.observe(u)
		if u.Reason != "" && !u.Since.IsZero() {
			s.trouble.pause(now, l.worker.name, u.Reason)
		}
	}
	l.worker.cancel()
	delete(s.workers, l.worker.name)
	for _, other := range s.loans {
		if other.worker != l.worker {
			continue
		}
		w, err := s.employ(ctx, other.Lease)
		if err != nil {
			continue // it was made for the same upstream before
		}
		other.worker = w
		s.allow(w, now)
	}
}
