package exchange

import "time"

// turn is what decides whose request is served next.
type turn struct {
	aged    bool // it has waited for too long
	share   int  // of the content that the requester has come to, in steps of 1/shares
	holders int  // of the piece
	at      time.Time
}

const (
	// shares is how finely requesters are told apart by what they have.
	shares = 16
	// agePatience is how long a request waits at least before its age counts
	// for more than all else.
	agePatience = 500 * time.Millisecond
	// fairQueue is how many of a peer's requests count for how long all of them take:
	// nobody makes others wait by asking for everything at once.
	fairQueue = 16
)

// before reports whether t goes before u: what has waited for too long, then who has
// much less than the other, as a node with few neighbours else ends long after all
// others; then the piece with fewer holders, then the older request.
func (t turn) before(u turn) bool {
	switch {
	case t.aged != u.aged:
		return t.aged
	case !t.aged && t.share != u.share:
		return t.share < u.share
	case !t.aged && t.holders != u.holders:
		return t.holders < u.holders
	}
	return t.at.Before(u.at)
}

// next chooses the request to serve.
func (s *State) next(now time.Time) (best *peer, index int) {
	patience := s.agePatience()
	var first turn
	for _, p := range s.peers {
		if p.sink.busy {
			continue
		}
		share := s.progress(p)
		for i, u := range p.sink.queue {
			t := turn{now.Sub(u.at) > patience, share, s.pick.Holders(u.piece), u.at}
			if best == nil || t.before(first) {
				best, index, first = p, i, t
			}
		}
	}
	return best, index
}

// progress is how much of the content p has come to, in steps of 1/shares: what it says it has,
// or what it was sent here where that is more, so that nobody stays behind by its word alone. A peer
// in another carrier leaves out what we have too, unless we are an origin (mustKnow): it counts
// as one that has come as far as we have.
func (s *State) progress(p *peer) int {
	has := max(p.has.Count(), int(p.sink.given/int64(s.cfg.PieceLength)))
	if p.class.cross && !s.cfg.Origin {
		has = s.Held().Count()
	}
	return has * shares / p.has.Len()
}

// agePatience is three times as long as the whole queue takes: no request
// waits much longer than its fair share.
func (s *State) agePatience() time.Duration {
	waiting := 0
	for _, p := range s.peers {
		waiting += min(len(p.sink.queue), fairQueue)
	}
	fair := time.Duration(3 * s.pieceTime.value * float64(waiting) * float64(time.Second))
	return max(agePatience, fair)
}
