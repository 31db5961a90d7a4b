package exchange

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// uploadSlots is how many requests are served at a time. Few, so that the
	// piece that the swarm lacks most leaves before the others; more than one,
	// so that the uplink is never idle between two.
	uploadSlots = 4
	// maxQueue bounds the requests a peer may have waiting.
	maxQueue = 4096
	// minSlotPatience is how long a block may take at least before its slot is
	// given to another peer: a slow receiver must not hold up the others.
	minSlotPatience = 250 * time.Millisecond
	// offerPause is how long after it could not be read a piece is offered again.
	offerPause = 10 * time.Second
)

// sink is a peer's requests to us.
type sink struct {
	queue   []upload // in the order they came; does not hold the one being served
	serving upload
	busy    bool      // serving is being served: a SendBlock is under way
	slot    bool      // it occupies a slot
	since   time.Time // of the SendBlock
	told    time.Time // when the peer last heard of its requests
	given   int64     // bytes sent to the peer
	block   int       // length of the next block, bytes
	stop    bool      // serving was cancelled: end after this block
}

// upload is a request to us. sent counts the bytes of the blocks handed out,
// the one under way included.
type upload struct {
	piece, begin, length int
	sent                 int
	block                int // length of the block under way
	at                   time.Time
}

func (u upload) is(piece, begin, length int) bool {
	return u.piece == piece && u.begin == begin && u.length == length
}

func (e RequestReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil {
		return
	}
	if size := s.cfg.PieceSize(e.Piece); e.Begin >= size || e.Length > size-e.Begin || len(p.sink.queue) >= maxQueue {
		s.drop(p, Protocol, now)
		return
	}
	if !s.Held().Has(e.Piece) {
		s.do(SendReject(e))
		return
	}
	if slices.ContainsFunc(p.sink.queue, func(u upload) bool { return u.is(e.Piece, e.Begin, e.Length) }) {
		return
	}
	if s.inject != nil {
		s.inject.asked(e.Piece, p, now)
	}
	if len(p.sink.queue) == 0 {
		p.sink.told = now
	}
	p.sink.queue = append(p.sink.queue, upload{piece: e.Piece, begin: e.Begin, length: e.Length, at: now})
	s.serve(now)
}

func (e CancelReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil {
		return
	}
	s.declined(p, e.Piece, now)
	p.sink.queue = slices.DeleteFunc(p.sink.queue, func(u upload) bool { return u.is(e.Piece, e.Begin, e.Length) })
	if p.sink.busy && p.sink.serving.is(e.Piece, e.Begin, e.Length) {
		p.sink.stop = true
	}
}

func (e BlockSent) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil || !p.sink.busy {
		return
	}
	k := &p.sink
	s.sent += int64(k.serving.block)
	k.given += int64(k.serving.block)
	took := now.Sub(k.since)
	s.learnBlockTime(took)
	k.adapt(took / time.Duration(max(s.slots, 1)))
	k.told = now
	if k.serving.sent < k.serving.length && !k.stop {
		s.sendBlock(p, now)
		return
	}
	s.finish(p, now)
	if s.inject != nil && k.serving.sent == k.serving.length {
		s.inject.left(k.serving.piece, p)
		s.inject.widen(s, now)
		s.reveal(now)
	}
	s.serve(now)
}

func (e ReadFailed) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil || !p.sink.busy {
		return
	}
	u := p.sink.serving
	s.do(SendReject{Peer: p.id, Piece: u.piece, Begin: u.begin, Length: u.length})
	if len(s.refused) < maxQueue {
		s.refused = append(s.refused, refusal{p.id, u.piece, now})
	}
	s.finish(p, now)
	if s.inject != nil {
		s.inject.left(u.piece, p)
		s.reveal(now)
	}
	s.serve(now)
}

// refusal is a request that could not be read.
type refusal struct {
	peer  shoal.NodeID
	piece int
	at    time.Time
}

// offerAgain tells peers of the pieces that could not be read for them a while
// ago: it may have been a passing fault, and nobody else may have them.
func (s *State) offerAgain(now time.Time) {
	for len(s.refused) > 0 && now.Sub(s.refused[0].at) >= offerPause {
		r := s.refused[0]
		s.refused = s.refused[1:]
		if s.byID[r.peer] != nil {
			s.do(SendHave{Peer: r.peer, Piece: r.piece})
		}
	}
}

// finish ends the request that p is being served.
func (s *State) finish(p *peer, now time.Time) {
	if !s.served.IsZero() {
		s.pieceTime.add(now.Sub(s.served).Seconds(), 0.1)
	}
	s.served = now
	s.releaseSlot(p)
	p.sink.busy, p.sink.stop = false, false
}

// releaseSink takes back what serving a peer occupies.
func (s *State) releaseSink(p *peer) {
	s.releaseSlot(p)
	p.sink = sink{}
}

func (s *State) releaseSlot(p *peer) {
	if p.sink.slot {
		p.sink.slot = false
		s.slots--
	}
}

// serve fills the free slots with waiting requests.
func (s *State) serve(now time.Time) {
	patience := s.slotPatience()
	for _, p := range s.peers {
		if p.sink.slot && now.Sub(p.sink.since) > patience {
			s.releaseSlot(p)
		}
	}
	for s.slots < uploadSlots {
		p, i := s.next(now)
		if p == nil {
			return
		}
		k := &p.sink
		k.serving = k.queue[i]
		k.queue = slices.Delete(k.queue, i, i+1)
		k.busy, k.slot = true, true
		s.slots++
		s.sendBlock(p, now)
	}
}

// slotPatience is longer where our own uplink is slow.
func (s *State) slotPatience() time.Duration {
	return max(minSlotPatience, time.Duration(4*s.blockTime.value*float64(time.Second)))
}

// learnBlockTime takes in how long a block took. Where all blocks take long it
// is our uplink, and the patience grows with each of them; where only some do
// it is their receivers, which the others make up for.
func (s *State) learnBlockTime(took time.Duration) {
	weight := 0.05
	if took.Seconds() < s.blockTime.value {
		weight = 0.3
	}
	s.blockTime.add(min(took, s.slotPatience()*3/2).Seconds(), weight)
}

// Block lengths in bytes. A block is what a control message may have to wait
// for, so it is short on a slow path; a long one costs less a byte.
const (
	minBlock = 16 << 10 // BitTorrent's
	// maxBlock and what goes before it fill two of the muxer's frames of 64 KiB,
	// without a bit of a third.
	maxBlock = 127 << 10
	// slowBlock is how long a block may keep the uplink busy.
	slowBlock = 16 * time.Millisecond
)

// adapt fits the length of a peer's blocks to the time for which the last one kept the
// uplink busy: its part of the time in which several were sent side by side.
func (k *sink) adapt(busy time.Duration) {
	switch {
	case busy < slowBlock/2 && 2*k.serving.block > k.block:
		k.block = min(2*k.block, maxBlock)
	case busy > slowBlock:
		k.block = max(k.block/2, minBlock)
	}
}

// sendBlock hands out the next block of what p is being served.
func (s *State) sendBlock(p *peer, now time.Time) {
	u := &p.sink.serving
	p.sink.block = max(p.sink.block, minBlock)
	left := u.length - u.sent
	blocks := (left + p.sink.block - 1) / p.sink.block
	u.block = (left + blocks - 1) / blocks // all alike, rather than a short last one
	p.sink.since = now
	s.do(SendBlock{Peer: p.id, Piece: u.piece, Begin: u.begin + u.sent, Length: u.block})
	u.sent += u.block
}
