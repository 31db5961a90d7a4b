package fallback

import (
	"slices"
	"time"
)

// pulse is the rate at which a lane brings bytes now: over the latest span of time, so that
// it shows within little more than that when they come slower, however many
// came before. The zero value knows none.
type pulse struct{ marks []mark } // in order, at most pulseMarks and one

type mark struct {
	at    time.Time
	bytes int64
}

// pulseMarks is in how many steps the span moves on.
const pulseMarks = 4

// observe is told, every now and then, how many bytes came so far.
func (p *pulse) observe(now time.Time, bytes int64, span time.Duration) {
	if n := len(p.marks); n > 0 && now.Sub(p.marks[n-1].at) < span/pulseMarks {
		return
	}
	old := 0 // of which the next one is old enough too
	for old+1 < len(p.marks) && now.Sub(p.marks[old+1].at) >= span {
		old++
	}
	p.marks = append(slices.Delete(p.marks, 0, old), mark{now, bytes})
}

// rate is in bytes a second; ok is false before a span is over.
func (p *pulse) rate(now time.Time, bytes int64, span time.Duration) (rate float64, ok bool) {
	if len(p.marks) == 0 {
		return 0, false
	}
	first := p.marks[0]
	d := now.Sub(first.at)
	return float64(bytes-first.bytes) / max(d.Seconds(), 1e-3), d >= span
}

// reset forgets: time in which nothing was asked for says nothing.
func (p *pulse) reset() { p.marks = p.marks[:0] }
