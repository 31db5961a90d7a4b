package exchange

import "time"

// steal finds a request that waits at another peer and would be answered much
// sooner by p, which has nothing else to be asked for, or else a claim. It takes
// the request back there and returns its piece. A request whose data has begun to arrive
// stays where it is, as what came would be wasted, unless the rest would take
// far longer: nobody may dribble a piece out for ever. Nor does a request move from one peer
// in another carrier to another one before it would hold our carrier up: what has left
// the first by then crosses for nothing.
func (s *State) steal(p *peer, now time.Time) (piece int, ok bool) {
	return s.stealOf(p, func(piece int) bool { return p.has.Has(piece) && s.mayAsk(p, piece) }, now)
}

// stealOf is steal for some of the pieces, requested or claimed.
func (s *State) stealOf(p *peer, wanted func(piece int) bool, now time.Time) (piece int, ok bool) {
	if !p.source.path.rate.known {
		return 0, false
	}
	victim, i, wait := s.longestWait(p, wanted, now)
	if victim != nil {
		r := victim.source.requests[i]
		late := p.muchLater(r.size)
		if p.class.cross && victim.class.cross && !s.pick.Urgent(r.piece) {
			late = max(late, s.carrier.rest())
		}
		if wait >= late {
			s.cancel(victim, i, now)
			return r.piece, true
		}
	}
	return s.raceClaim(p, wanted, now)
}

// muchLater is how long a piece must wait elsewhere for p to be worth asking:
// twice the time that p needs for it after all that it was asked for.
func (p *peer) muchLater(size int) time.Duration {
	src := &p.source
	return 2*(src.eta(src.outstanding+int64(size), 0)+src.path.minRTT) + stealMargin
}

// hopelessClaim is how many times longer than a peer an upstream must take for
// its claims to be raced though they are no later than usual.
const hopelessClaim = 4

// raceClaim ends the oldest claim of a wanted piece where it is overdue, or
// always takes long, and p would be much sooner. What the claimer delivers all the same counts, and
// takes the request back.
func (s *State) raceClaim(p *peer, wanted func(piece int) bool, now time.Time) (piece int, ok bool) {
	var oldest time.Time
	for i, c := range s.claims.pieces {
		at := c.run.at
		if ok && (at.After(oldest) || at.Equal(oldest) && i > piece) { // whatever the map's order
			continue
		}
		later := p.muchLater(s.cfg.PieceSize(i))
		if wanted(i) && now.Sub(at) > later && (s.claims.overdue(c.run, now) || s.claims.took.known && s.claims.expected() > hopelessClaim*later) {
			piece, oldest, ok = i, at, true
		}
	}
	if ok {
		delete(s.claims.pieces, piece)
		s.pick.Released(piece)
	}
	return piece, ok
}

// longestWait finds the request for a wanted piece that would be answered
// last, of all but those to one peer. The rest of a piece that has begun to
// arrive counts a quarter, as what came would be wasted, unless nothing more
// has come for a while: then it is expected to stay away for half as long again.
func (s *State) longestWait(but *peer, wanted func(piece int) bool, now time.Time) (at *peer, index int, wait time.Duration) {
	for _, q := range s.peers {
		if q == but {
			continue
		}
		var ahead int64 // bytes that q has to send until it has answered r
		for i, r := range q.source.requests {
			ahead += int64(r.size - r.received)
			if !wanted(r.piece) {
				continue
			}
			w := q.source.eta(ahead, now.Sub(r.at))
			if r.received > 0 {
				w = max(q.source.eta(ahead, 0)/4, (s.waking.elapsed-q.source.delivered)/2)
			}
			if w > wait {
				at, index, wait = q, i, w
			}
		}
	}
	return at, index, wait
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
