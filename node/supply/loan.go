package supply

import (
	"fmt"
	"iter"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// loan is a lease that the node has.
type loan struct {
	api.Lease         // ID is "" for one that it allowed itself
	worker    *worker // reads it
	expires   time.Time
	lasts     time.Duration // what it was given without being renewed
	used      int64         // bytes read by it, once it has ended
}

// check refuses a lease that does not fit the content, or would keep us busy
// with itself.
func check(l api.Lease, pieces int) error {
	invalid := func(why string) error { return fmt.Errorf("lease %.64q: %w: %s", l.ID, shoal.ErrInvalid, why) }
	if len(l.Pieces) == 0 || len(l.Pieces) > api.MaxRuns {
		return invalid(fmt.Sprintf("%d runs of pieces", len(l.Pieces)))
	}
	end := 0
	for _, r := range l.Pieces {
		if r.First < end || r.Count <= 0 || r.First >= pieces || r.Count > pieces-r.First {
			return invalid("its pieces overlap, or do not exist")
		}
		end = r.First + r.Count
	}
	if !(l.Expires >= 1) || l.Rate < 0 || l.Connections < 0 {
		return invalid("its bounds make no sense")
	}
	return nil
}

// longest is as long as a lease is believed to last.
const longest = time.Hour

// newLoan is a lease granted at now.
func newLoan(l api.Lease, now time.Time) *loan {
	loan := &loan{Lease: l}
	loan.extend(l.Expires, now)
	return loan
}

// extend has the loan last so many seconds from now.
func (l *loan) extend(seconds float64, now time.Time) {
	l.lasts = time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
	l.expires = now.Add(l.lasts)
}

// all is the loan's pieces.
func (l *loan) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range l.Pieces {
			for piece := r.First; piece < r.First+r.Count; piece++ {
				if !yield(piece) {
					return
				}
			}
		}
	}
}

// progress counts the loan's pieces, those that are missing, and the bytes of
// the others.
func (l *loan) progress(m *shoal.Manifest, held *shoal.PieceSet) (missing, total int, here int64) {
	for piece := range l.all() {
		total++
		if held.Has(piece) {
			here += int64(m.PieceSize(piece))
		} else {
			missing++
		}
	}
	return missing, total, here
}

// due reports whether the loan must be renewed.
func (l *loan) due(now time.Time) bool { return l.ID != "" && l.expires.Sub(now) < l.lasts/2 }

// spent is what was read by a loan so far: what its upstream has sent that no
// other loan accounts for, also of pieces that are not whole yet, and at least
// the pieces that are here. That one may have come from a peer after all makes it
// an upper bound.
func (s *Supply) spent(l *loan, held *shoal.PieceSet) int64 {
	sent := l.worker.received() - l.worker.charged
	var used int64
	for _, other := range s.loans {
		if other.worker != l.worker {
			continue
		}
		_, _, here := other.progress(s.cfg.Manifest, held)
		used = max(here, min(sent, other.Bytes))
		if other == l {
			break
		}
		sent = max(0, sent-used)
	}
	return used
}
