package fallback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// finished says whether Run is over, and by what error. claimable is false once
// there was nothing to claim.
func (f *Fetcher) finished(ctx context.Context, now time.Time, claimable bool) (bool, error) {
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	if f.busy == 0 && len(f.queue) == 0 && !claimable {
		if !f.cfg.Standby {
			return true, nil
		}
		f.progressed() // nothing is due
	}
	if f.atHome.Load() > 0 {
		f.progressed()
	}
	hopeless := !slices.ContainsFunc(f.sources, func(s *source) bool { return !s.health.final })
	idle := now.Sub(f.began) - time.Duration(f.progress.Load())
	if hopeless && f.busy > 0 || !hopeless && idle < f.cfg.Limits.Patience {
		return false, nil
	}
	if f.busy == 0 && len(f.queue) == 0 && !f.cfg.Standby { // nobody has asked for a while
		first, count, ok := f.cfg.Pieces.Claim(ctx, 1)
		if !ok {
			return true, ctx.Err()
		}
		f.cfg.Pieces.Release(first, count)
	}
	return true, f.reasons(hopeless, idle)
}

// reasons is the error for when no upstream is of use.
func (f *Fetcher) reasons(hopeless bool, idle time.Duration) error {
	var errs []error
	for _, s := range f.sources {
		if why := s.why(); why != nil {
			errs = append(errs, fmt.Errorf("%s: %w", Label(s.Name), why))
		}
	}
	what := "no upstream is left"
	if !hopeless {
		what = fmt.Sprintf("nothing arrived for %s", round(idle))
	}
	if len(errs) == 0 {
		return fmt.Errorf("fetch: %w: %s", shoal.ErrUnavailable, what)
	}
	return fmt.Errorf("fetch: %w: %s: %w", shoal.ErrUnavailable, what, errors.Join(errs...))
}

// progressed notes that something arrived.
func (f *Fetcher) progressed() { f.progress.Store(int64(time.Since(f.began))) }
