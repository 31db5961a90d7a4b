package swarm

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// paced is the rate of payload that an uplink carries without a queue of its
// own: its capacity without the headers of full frames, less what it takes to
// acknowledge a full downlink. Above it the node's own acknowledgements and
// requests wait behind its uploads, and its downloads starve: behind thin
// uplinks a swarm took 1.46 times the fluid bound, paced 1.12 (docs/adr/0007).
func paced(up, down shoal.Rate) shoal.Rate {
	const acknowledging = 100 // bytes received for a byte of acknowledgements and requests
	payload := up * 1448 / 1514
	return max(payload-down/acknowledging, payload/2)
}

// limiter bounds a rate; its burst is what may go at once: 20 ms' worth, and
// no less than leastBurst.
func limiter(r shoal.Rate) *rate.Limiter {
	if r <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(r), max(int(r/50), leastBurst))
}

// leastBurst is a short block: what a thin uplink is to take at once.
const leastBurst = 16 << 10

// reserve takes n bytes' worth of a limiter, even where that is more than its
// burst, and returns how long to wait for them.
func reserve(l *rate.Limiter, now time.Time, n int) time.Duration {
	if l.Limit() == rate.Inf {
		return 0
	}
	var delay time.Duration
	for n > 0 {
		part := min(n, l.Burst())
		delay = l.ReserveN(now, part).DelayFrom(now)
		n -= part
	}
	return delay
}

// waitN waits for n bytes' worth of a limiter, in parts where that is more
// than its burst.
func waitN(ctx context.Context, l *rate.Limiter, n int) error {
	if l.Limit() == rate.Inf {
		return nil
	}
	for n > 0 {
		part := min(n, l.Burst())
		if err := l.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
