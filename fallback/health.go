package fallback

import (
	"math/rand/v2"
	"time"
)

const (
	maxDoublings = 5
	// maxRetryAfter bounds how long an upstream's word keeps it from being asked.
	maxRetryAfter = time.Minute
)

// health is how an upstream has been doing. The zero value is good health.
type health struct {
	failures int       // in a row
	until    time.Time // not asked before
	final    bool      // not asked again
	why      error     // of the latest failure; nil: none since the last success
	since    time.Time // of that failure
}

// usable reports whether the upstream may be asked.
func (h *health) usable(now time.Time) bool { return !h.final && !now.Before(h.until) }

// suspect reports whether one connection should try first.
func (h *health) suspect() bool { return h.failures > 0 }

// fail notes a failure: benched for good or cooling down, for backoff at first
// and twice as long each further time, with a quarter of jitter either way. What
// other connections find during a cool-down is the same failure.
func (h *health) fail(now time.Time, f *fault, backoff time.Duration, rng *rand.Rand) {
	if h.final {
		return
	}
	asked := now.Add(min(f.after, maxRetryAfter))
	switch {
	case f.kind.final():
		h.final = true
	case h.usable(now):
		d := backoff << min(h.failures, maxDoublings)
		d += time.Duration((rng.Float64() - 0.5) / 2 * float64(d))
		h.until = now.Add(d)
		h.failures++
	default:
		if asked.After(h.until) {
			h.until = asked
		}
		return
	}
	if asked.After(h.until) {
		h.until = asked
	}
	h.why, h.since = f, now
}

// note remembers for reports what is no failure.
func (h *health) note(now time.Time, f *fault) {
	if !h.final && h.failures == 0 {
		h.why, h.since = f, now
	}
}

// succeed notes a range that came whole: proof enough for all connections.
func (h *health) succeed() {
	if !h.final {
		*h = health{}
	}
}
