package fallback

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// Bounds of a range in bytes, and how long one should take: long enough that
// requests cost nothing and the line is full for most of it, short enough that a
// slow one does no harm at the end.
const (
	minRange   = 1 << 20
	maxRange   = 32 << 20
	firstRange = 4 << 20 // of a connection whose rate nobody knows
	// farRange is the same for the first one over a connection across a long line, from a sender
	// with BBR: where that has less to send for a moment, it takes this for the line's rate.
	farRange  = 8 << 20
	rangeTime = 4 * time.Second
	// sharedTime is how long one should take where the next one is asked for while it is
	// coming: that costs nothing, and what is to be read is divided evenly among lanes.
	sharedTime = time.Second
)

// rangeSize is how much a connection should ask for that has got so many bytes
// a second, 0: not known, for it to take so long.
func rangeSize(rate float64, d time.Duration) int64 {
	if rate == 0 {
		return firstRange
	}
	return int64(min(max(rate*d.Seconds(), minRange), maxRange))
}

// cruise is the rate at which a lane brings bytes while the second half of a range comes: in the
// first one, the sender may be finding out how fast it may send. A zero cruise knows nothing.
type cruise struct {
	half  time.Time
	bytes int64 // by then
}

// maxCruise is how many times the rate of the whole range that may be: what waited
// for a lost packet comes all at once.
const maxCruise = 4

// mark notes that half of the range has come, and what the lane has brought since it was
// asked for. Only the first call counts.
func (c *cruise) mark(now time.Time, bytes int64) {
	if c.half.IsZero() {
		c.half, c.bytes = now, bytes
	}
}

// rate is in bytes a second, where so many bytes came in took, until now.
func (c *cruise) rate(now time.Time, bytes int64, took time.Duration) float64 {
	whole := float64(bytes) / max(took.Seconds(), 1e-6)
	d := now.Sub(c.half).Seconds()
	if c.half.IsZero() || d <= 0 || 4*(bytes-c.bytes) < bytes {
		return whole
	}
	return min(max(float64(bytes-c.bytes)/d, whole), maxCruise*whole)
}

// verdict is what a floor says.
type verdict uint8

const (
	undecided verdict = iota
	good
	tooSlow
)

// floor judges whether bytes come at a minimal rate. Only time spent waiting
// for them counts, not what limits and disks take.
type floor struct {
	rate   shoal.Rate
	window time.Duration

	bytes  int64
	waited time.Duration
}

// add notes n bytes that took d to come. After good and tooSlow it begins anew.
func (f *floor) add(n int, d time.Duration) verdict {
	f.bytes += int64(n)
	f.waited += d
	v := undecided
	switch {
	case float64(f.bytes) >= float64(f.rate)*f.window.Seconds():
		v = good
	case f.waited >= f.window:
		v = tooSlow
	default:
		return v
	}
	f.bytes, f.waited = 0, 0
	return v
}
