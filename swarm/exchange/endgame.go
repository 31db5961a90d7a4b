package exchange

import "time"

// steal finds a request that waits at another peer and would be answered much
// sooner by p, which has nothing else to be asked for. It takes the request
// back there and returns its piece. A request whose data has begun to arrive
// stays where it is, as what came would be wasted, unless the rest would take
// far longer: nobody may dribble a piece out for ever.
func (s *State) steal(p *peer, now time.Time) (piece int, ok bool) {
	var (
		victim *peer
		index  int
		worst  time.Duration
	)
	for _, q := range s.peers {
		if q == p {
			continue
		}
		var ahead int64 // bytes that q has to send until it has answered r
		for i, r := range q.source.requests {
			ahead += int64(r.size - r.received)
			if !p.has.Has(r.piece) {
				continue
			}
			wait := q.source.eta(ahead, now.Sub(r.at))
			if r.received > 0 {
				wait = q.source.eta(ahead, 0) / 4
			}
			if wait > worst {
				victim, index, worst = q, i, wait
			}
		}
	}
	if victim == nil {
		return 0, false
	}
	r := victim.source.requests[index]
	src := &p.source
	mine := src.eta(src.outstanding+int64(r.size), 0) + src.path.minRTT
	if !src.path.rate.known || worst < 2*mine+stealMargin {
		return 0, false
	}
	s.cancel(victim, index, now)
	return r.piece, true
}

// stealMargin keeps requests from moving to and fro for nothing.
const stealMargin = 50 * time.Millisecond

// eta is the time a source still needs for the given bytes. Something that
// has waited long is expected to wait as long again, whatever the rate was.
func (src *source) eta(bytes int64, waited time.Duration) time.Duration {
	if !src.path.rate.known || src.path.rate.value < 1 {
		return waited
	}
	return max(waited, time.Duration(float64(bytes)/src.path.rate.value*float64(time.Second)))
}
