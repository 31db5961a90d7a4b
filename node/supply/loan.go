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
	patience  time.Duration // what the lease lasts without being renewed
}

// check refuses a lease that does not fit the content.
func check(l api.Lease, pieces int) error {
	for _, r := range l.Pieces {
		if r.First < 0 || r.Count <= 0 || r.First >= pieces || r.Count > pieces-r.First {
			return fmt.Errorf("lease %q: %w: pieces %d to %d of %d", l.ID, shoal.ErrInvalid, r.First, r.First+r.Count-1, pieces)
		}
	}
	if l.Expires <= 0 || l.Rate < 0 || l.Connections < 0 {
		return fmt.Errorf("lease %q: %w: its bounds make no sense", l.ID, shoal.ErrInvalid)
	}
	return nil
}

// newLoan is a lease granted at now.
func newLoan(l api.Lease, now time.Time) *loan {
	d := time.Duration(min(l.Expires, 3600) * float64(time.Second))
	return &loan{Lease: l, expires: now.Add(d), patience: d}
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

// progress counts the loan's pieces that are missing, and the bytes of those
// that are here. That a piece may have come from a peer after all makes the
// bytes an upper bound.
func (l *loan) progress(m *shoal.Manifest, held *shoal.PieceSet) (missing, total int, used int64) {
	for piece := range l.all() {
		total++
		if held.Has(piece) {
			used += int64(m.PieceSize(piece))
		} else {
			missing++
		}
	}
	return missing, total, used
}

// due reports whether the loan must be renewed.
func (l *loan) due(now time.Time) bool { return l.ID != "" && l.expires.Sub(now) < l.patience/2 }
