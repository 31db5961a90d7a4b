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
	firstRange = 2 << 20 // of a connection whose rate nobody knows
	rangeTime  = 4 * time.Second
)

// rangeSize is how much a connection should ask for that has got so many bytes
// a second; 0: not known.
func rangeSize(rate float64) int64 {
	if rate == 0 {
		return firstRange
	}
	return int64(min(max(rate*rangeTime.Seconds(), minRange), maxRange))
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
