package exchange

import (
	"slices"
	"time"
)

func (e CrossAvoided) apply(s *State, now time.Time) {
	if s.avoidCross = e.Avoid; !e.Avoid {
		s.requestAll(now)
		return
	}
	for _, p := range s.peers {
		if !p.class.cross {
			continue
		}
		for i, r := range slices.Backward(p.source.requests) {
			if r.received == 0 { // what has begun to arrive is not wasted
				s.cancel(p, i, now)
			}
		}
	}
}
