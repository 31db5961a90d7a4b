package upload

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// growth decides when one more connection is tried: as long as each brought a
// tenth more than there was before it.
type growth struct {
	most   int // requests being sent at a time
	since  time.Duration
	bytes  int64 // sent until then
	before shoal.Rate
	ended  bool
}

func newGrowth(now time.Duration, most int) *growth {
	return &growth{most: most, since: now}
}

// more is asked now and then, with the time for which there was sending, all bytes sent so far
// and how many requests are being sent at a time.
func (g *growth) more(now time.Duration, sent int64, turns int) bool {
	if g.bytes == 0 { // a new measurement begins with the first bytes
		g.since, g.bytes = now, max(sent, 1)
		return false
	}
	took := now - g.since
	if g.ended || took < growEvery {
		return false
	}
	speed := shoal.Rate(float64(sent-g.bytes) / took.Seconds())
	brought := g.before == 0 || worthMore(g.before, speed)
	g.since, g.bytes = now, max(sent, 1)
	if !brought || turns >= g.most {
		g.ended = true
		return false
	}
	g.before = speed
	return true
}
