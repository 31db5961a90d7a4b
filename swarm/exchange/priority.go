package exchange

import "time"

func (e PiecesWanted) apply(s *State, now time.Time) {
	s.pick.Want(e.Reader, e.First, e.Count)
	s.requestAll(now)
}

func (e ReaderGone) apply(s *State, _ time.Time) { s.pick.Unwant(e.Reader) }

// choose finds the piece to ask p for next: one that a reader waits for, also
// where it waits at a slower peer, before the rarest.
func (s *State) choose(p *peer, now time.Time) (piece int, ok bool) {
	if s.pick.AnyUrgent() {
		if piece, ok = s.pick.PickUrgent(p.canGive); ok {
			return piece, true
		}
		if piece, ok = s.stealUrgent(p, now); ok {
			return piece, true
		}
	}
	if p.class.cross {
		return s.pickAcross(p)
	}
	return s.pick.Pick(p.has)
}

// canGive reports whether p may be asked for a piece that a reader waits for. An
// origin has all pieces, also those that it has shown to others or to nobody:
// a reader need not wait until it is shown them.
func (p *peer) canGive(piece int) bool {
	return p.has.Has(piece) || p.class.origin && !p.denied[piece]
}

// deny notes that p rejected a request: it is not asked for that piece again
// unless it tells that it has it.
func (p *peer) deny(piece int) {
	if p.denied == nil {
		p.denied = make(map[int]bool)
	}
	p.denied[piece] = true
}

// stealUrgent takes a request or claim for a piece that a reader waits for back
// where p would answer it much sooner.
func (s *State) stealUrgent(p *peer, now time.Time) (piece int, ok bool) {
	return s.stealOf(p, func(piece int) bool { return s.pick.Urgent(piece) && p.canGive(piece) }, now)
}
