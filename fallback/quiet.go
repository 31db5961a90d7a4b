package fallback

import "time"

const (
	// tickInterval is how often Run does what time alone asks for, and asks for something to claim.
	tickInterval = 25 * time.Millisecond
	// quietInterval is the same where there is known to be nothing: rates fade, and idle
	// connections end.
	quietInterval = 500 * time.Millisecond
)

// Quiet says that there will be nothing to claim until it is called with false, which is when
// Run asks again, at once. Meanwhile it wakes up seldom, once nothing is under way.
func (f *Fetcher) Quiet(quiet bool) {
	before := f.quiet.Swap(quiet)
	if quiet {
		return
	}
	if before {
		f.progressed() // nothing was due, and it did not look at the time
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// pace is how soon the loop must look at the time again. claimable is false once there was
// nothing to claim, which an upstream that cools down has not asked for.
func (f *Fetcher) pace(claimable bool) time.Duration {
	if f.quiet.Load() && f.busy == 0 && len(f.queue) == 0 && !claimable {
		return quietInterval
	}
	return tickInterval
}
