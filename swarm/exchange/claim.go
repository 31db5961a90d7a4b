package exchange

import "time"

// unknownUpstream stands for the time that a claimed piece takes while none has
// come yet.
const unknownUpstream = time.Second

// claims are the pieces that somebody outside of the swarm fetches. To the
// picker they are requested, so no peer is asked for them until they are overdue
// and a peer would be much sooner (raceClaim). Who claims pieces sees to it that
// they come, or releases them.
type claims struct {
	pieces map[int]claim // by number
	took   ewma          // seconds from a claim to its first piece
}

// claim is one piece of a run, which its pieces share.
type claim struct {
	run  *run
	head bool // the first of its run, which waits for no other
}

// run is what was claimed at once, and comes piece after piece.
type run struct {
	at        time.Time
	delivered int // pieces that came
}

// overdue reports whether the next piece of a run has taken twice as long as
// it should: claims at their usual speed are not raced. No later piece takes
// longer than the first, which waits for an answer too.
func (c *claims) overdue(r *run, now time.Time) bool {
	return now.Sub(r.at) > 2*c.expected()*time.Duration(r.delivered+1)
}

func newClaims() claims { return claims{pieces: make(map[int]claim)} }

// expected is the time that a piece claimed now will take.
func (c *claims) expected() time.Duration {
	if !c.took.known {
		return unknownUpstream
	}
	return time.Duration(c.took.value * float64(time.Second))
}

func (e ClaimAsked) apply(s *State, now time.Time) {
	first, count := s.chooseClaim(e, now)
	r := &run{at: now}
	for i := range count {
		s.pick.Requested(first + i)
		s.claims.pieces[first+i] = claim{run: r, head: i == 0}
		for _, p := range s.peers {
			if p.has.Has(first + i) {
				s.decline(p, first+i)
			}
		}
	}
	if count > 0 {
		s.do(Claimed{First: first, Count: count})
	}
}

// chooseClaim goes by the same order as the requests to a peer (choose, steal):
// what readers wait for, then the rarest, then what waits at a slow peer.
func (s *State) chooseClaim(e ClaimAsked, now time.Time) (first, count int) {
	most := int(max(1, min(e.Max/int64(s.cfg.PieceLength), int64(s.Held().Len()))))
	allowed := func(piece int) bool { return e.Allowed == nil || e.Allowed.Has(piece) }
	if first, count = s.pick.PickUrgentRun(e.Allowed, s.cfg.Starts, most); count > 0 {
		return first, count
	}
	if s.pick.AnyUrgent() {
		wanted := func(piece int) bool { return s.pick.Urgent(piece) && allowed(piece) }
		if first, ok := s.takeOver(wanted, now); ok {
			return first, 1
		}
	}
	if first, count = s.pick.PickRun(e.Allowed, s.cfg.Starts, most); count > 0 {
		return first, count
	}
	if first, ok := s.takeOver(allowed, now); ok {
		return first, 1
	}
	return 0, 0
}

// takeOver takes a wanted piece's request back where it would be answered much
// later than a claim.
func (s *State) takeOver(wanted func(piece int) bool, now time.Time) (piece int, ok bool) {
	victim, i, wait := s.longestWait(nil, wanted, now)
	if victim == nil || wait < 2*s.claims.expected()+stealMargin {
		return 0, false
	}
	piece = victim.source.requests[i].piece
	s.cancel(victim, i, now)
	return piece, true
}

func (e ClaimReleased) apply(s *State, now time.Time) {
	freed := false
	for piece := max(e.First, 0); piece < min(e.First+e.Count, s.Held().Len()); piece++ {
		if _, ok := s.claims.pieces[piece]; ok {
			delete(s.claims.pieces, piece)
			s.pick.Released(piece)
			freed = true
		}
	}
	if freed {
		s.requestAll(now)
	}
}

func (e PieceDelivered) apply(s *State, now time.Time) {
	size := s.cfg.PieceSize(e.Piece)
	if _, ok := s.verifying[e.Piece]; ok || s.Held().Has(e.Piece) {
		s.bytes.Wasted += int64(size)
		return
	}
	if c, ok := s.claims.pieces[e.Piece]; ok {
		delete(s.claims.pieces, e.Piece)
		c.run.delivered++
		if c.head {
			s.claims.took.add(now.Sub(c.run.at).Seconds(), 0.2)
		}
	} else {
		s.withdraw(e.Piece, now)
	}
	from := class{upstream: true}
	s.pick.Requested(e.Piece)
	s.verifying[e.Piece] = from
	s.bytes.add(from, size)
	s.do(StorePiece(e))
}

// withdraw takes the request for a piece back, if there is one.
func (s *State) withdraw(piece int, now time.Time) {
	for _, p := range s.peers {
		if i := p.requestFor(piece); i >= 0 {
			s.cancel(p, i, now)
			return
		}
	}
}
