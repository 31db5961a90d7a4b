package exchange

import (
	"slices"
	"time"
)

// declinePause is how long a peer that declined a piece is shown no other: it
// may have claimed all that there is.
const declinePause = 100 * time.Millisecond

// decline tells an origin not to wait for our request of a piece that it has
// shown us, as we have claimed that: a cancel of what was never requested.
func (s *State) decline(p *peer, piece int) {
	if _, claimed := s.claims.pieces[piece]; claimed && p.class.origin && !p.has.Full() {
		s.do(SendCancel{Peer: p.id, Piece: piece, Length: s.cfg.PieceSize(piece)})
	}
}

// declined takes back a piece that was shown to p, where p cancels what it has
// not requested. The piece is shown to another after all that still hide.
func (s *State) declined(p *peer, piece int, now time.Time) {
	j := s.inject
	if j == nil || j.phase[piece] != shown || j.giver[piece] != p || p.sink.has(piece) {
		return
	}
	j.unshow(piece, p)
	j.phase[piece], j.giver[piece] = hidden, nil
	j.hidden = slices.Insert(j.hidden, 0, piece)
	p.given.lazy = now.Add(declinePause)
	s.reveal(now)
}

// has reports whether a request for the piece waits or is being served.
func (k *sink) has(piece int) bool {
	return k.busy && k.serving.piece == piece || slices.ContainsFunc(k.queue, func(u upload) bool { return u.piece == piece })
}
