package exchange

import (
	"slices"
	"time"
)

// Bounds on what is under way, in bytes. maxOutstanding bounds the memory for
// pieces that are arriving or being verified, maxVerifying for those among them that
// have come: while hashing or the disk is behind, more would fill memory and caches.
const (
	maxOutstanding = 32 << 20
	maxVerifying   = 8 << 20
	// pipeline is how much may still be outstanding at a source when the next
	// piece is requested there, beyond the bandwidth-delay product: one block of
	// plain BitTorrent, so that a sender always knows the next request before it
	// has sent the last block of this one.
	pipeline = 16 << 10
	// maxPartial is how many pieces of one source may have come in part before it is asked for
	// no more. A sender finishes a piece before it begins the next; one that never finishes
	// any would fill memory with all of them.
	maxPartial = 2
)

// source is our requests to a peer.
type source struct {
	requests    []request // in the order they were sent
	outstanding int64     // bytes requested and not received
	path        path
	active      time.Duration // on the waking clock: when it last showed that it is at our requests, or got its first
	delivered   time.Duration // likewise: when it last sent something asked for, or got its first request
	waited      time.Duration // how long it has been silent on requests that were taken back, in a row
	silent      int           // timeouts in a row
	snubbed     time.Time     // not asked before this time
}

// request is a piece we asked a peer for.
type request struct {
	piece    int
	size     int
	received int
	at       time.Time
}

// requestAll gives every source the chance to be asked for more.
func (s *State) requestAll(now time.Time) {
	for _, p := range s.peers {
		s.request(p, now)
	}
}

// request asks p for pieces until the path from it is full.
func (s *State) request(p *peer, now time.Time) {
	if now.Before(p.source.snubbed) || s.avoidCross && p.class.cross || s.crowded(p) {
		return
	}
	for s.roomAt(p) {
		piece, ok := s.choose(p, now)
		if !ok {
			piece, ok = s.steal(p, now)
		}
		if !ok {
			return
		}
		s.ask(p, piece, now)
	}
}

// roomAt reports whether p may be asked for one more piece.
func (s *State) roomAt(p *peer) bool {
	src := &p.source
	if src.outstanding == 0 {
		// A piece may be larger than the bound: one at a time always goes.
		return !s.full() || s.inFlight() == 0
	}
	// After a silence one piece shows whether the source is back.
	if src.silent > 0 {
		return false
	}
	return src.outstanding <= s.ahead(p) && src.partial() < maxPartial && !s.full()
}

// partial is how many pieces have come in part.
func (src *source) partial() int {
	n := 0
	for _, r := range src.requests {
		if r.received > 0 {
			n++
		}
	}
	return n
}

// full reports whether nothing more may be requested for now.
func (s *State) full() bool {
	return s.inFlight() >= maxOutstanding || len(s.verifying)*s.cfg.PieceLength >= maxVerifying
}

// inFlight is the memory that pieces take which are not stored yet.
func (s *State) inFlight() int64 {
	return s.expected + int64(len(s.verifying))*int64(s.cfg.PieceLength)
}

func (s *State) ask(p *peer, piece int, now time.Time) {
	size := s.cfg.PieceSize(piece)
	src := &p.source
	if len(src.requests) == 0 {
		src.active, src.delivered = s.waking.elapsed-src.waited, s.waking.elapsed
	}
	src.requests = append(src.requests, request{piece: piece, size: size, at: now})
	src.outstanding += int64(size)
	s.expected += int64(size)
	src.path.started(now)
	s.pick.Requested(piece)
	s.do(SendRequest{Peer: p.id, Piece: piece, Length: size})
}

// unask takes request i of p out of the books. The piece stays settled.
func (s *State) unask(p *peer, i int, now time.Time) request {
	src := &p.source
	r := src.requests[i]
	src.requests = slices.Delete(src.requests, i, i+1)
	src.outstanding -= int64(r.size - r.received)
	s.expected -= int64(r.size)
	if len(src.requests) == 0 {
		src.path.stopped(now)
	}
	return r
}

// cancel takes request i of p back and frees its piece.
func (s *State) cancel(p *peer, i int, now time.Time) {
	r := s.unask(p, i, now)
	if src := &p.source; len(src.requests) == 0 {
		// Others being faster must not hide that it never answers.
		src.waited = s.waking.elapsed - src.active
	}
	s.bytes.waste(p.class, r.received)
	s.pick.Released(r.piece)
	s.do(SendCancel{Peer: p.id, Piece: r.piece, Length: r.size})
}

// releaseAll frees the pieces asked of a peer that is gone.
func (s *State) releaseAll(p *peer) {
	for _, r := range p.source.requests {
		s.expected -= int64(r.size)
		s.bytes.waste(p.class, r.received)
		s.pick.Released(r.piece)
	}
	p.source.requests, p.source.outstanding = nil, 0
}

func (p *peer) requestFor(piece int) int {
	return slices.IndexFunc(p.source.requests, func(r request) bool { return r.piece == piece })
}

func (e BlockReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil {
		s.bytes.Wasted += int64(e.Length)
		return
	}
	i := p.requestFor(e.Piece)
	if i < 0 {
		// Most likely it crossed with a cancel.
		s.bytes.Wasted += int64(e.Length)
		return
	}
	src := &p.source
	r := &src.requests[i]
	if e.Begin != r.received || e.Length > r.size-r.received {
		// A late block of an earlier request that was taken back.
		s.bytes.Wasted += int64(e.Length)
		return
	}
	if r.received == 0 && i == 0 {
		src.path.answered(now.Sub(r.at))
	}
	r.received += e.Length
	src.outstanding -= int64(e.Length)
	src.path.received(e.Length, now)
	src.active, src.delivered, src.waited, src.silent = s.waking.elapsed, s.waking.elapsed, 0, 0
	s.setMute(p, false)
	s.bytes.add(p.class, e.Length)
	if r.received == r.size {
		s.unask(p, i, now)
		s.verifying[e.Piece] = p.class
		s.do(Verify{Peer: p.id, Piece: e.Piece})
	}
	s.request(p, now)
	if len(src.requests) == 0 && p.foreign != nil {
		s.requestIn(p.foreign, now)
	}
}

func (e RejectReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil {
		return
	}
	i := p.requestFor(e.Piece)
	if i < 0 {
		return
	}
	r := s.unask(p, i, now)
	s.bytes.waste(p.class, r.received)
	s.pick.Released(r.piece)
	p.deny(e.Piece)
	// It can't serve what it said it had.
	if p.has.Remove(e.Piece) {
		s.carrier.stale = true // who has all pieces is no member
		s.lost(p, e.Piece)
	}
	s.requestAll(now)
}
