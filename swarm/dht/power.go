package dht

import "time"

const (
	onAfter    = 5 * time.Second // of need: a tracker that restarts is back by then
	offAfter   = 3 * time.Minute // without need: one that is back may go again, and the others' need may last
	restAfter  = time.Minute     // after it could not be switched on
	powerCheck = time.Second
)

// power says when the DHT is to run. The zero value is off. It is pure.
type power struct {
	on    bool
	since time.Time // when need last changed to what it is, while that differs from on; zero: it does not
	rest  time.Time // not switched on before this
}

// next takes whether the DHT is needed now, and returns whether it is to run.
func (p *power) next(now time.Time, needed bool) bool {
	if needed == p.on {
		p.since = time.Time{}
		return p.on
	}
	if p.since.IsZero() {
		p.since = now
	}
	after := offAfter
	if needed {
		after = onAfter
	}
	if now.Sub(p.since) >= after && !now.Before(p.rest) {
		p.on, p.since = needed, time.Time{}
	}
	return p.on
}

// failed notes that it could not be switched on.
func (p *power) failed(now time.Time) { *p = power{rest: now.Add(restAfter)} }
