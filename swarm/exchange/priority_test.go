package exchange

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What a reader wants is requested first, in its order.
func TestWantedPiecesFirst(t *testing.T) {
	s := newScript(t, 50, piece)
	s.on(PiecesWanted{7, 20, 3})
	s.on(PeerJoined{Peer: "rare"})
	s.on(HaveReceived{"rare", 1}) // asked of the one; the wanted ones have more holders
	s.join([]int{1, 20, 21, 22, 40}, "a", "b")
	var order []int
	for id := range s.s.byID {
		if id != "rare" {
			order = append(order, s.s.byID[id].source.requests[0].piece)
		}
	}
	if len(order) != 2 || order[0]+order[1] != 41 {
		t.Errorf("asked for %v first", order)
	}
	s.on(BlockReceived{"a", s.s.byID["a"].source.requests[0].piece, 0, piece})
	if got := s.s.byID["a"].source.requests[0].piece; got != 22 {
		t.Errorf("asked for %d then", got)
	}
	s.on(ReaderGone{7})
	s.on(BlockReceived{"a", 22, 0, piece})
	if got := s.s.byID["a"].source.requests[0].piece; got != 40 {
		t.Errorf("asked for %d when nobody reads", got)
	}
}

// An origin is asked for what a reader wants before it shows it, but not for
// what it has refused.
func TestWantedOfAnOrigin(t *testing.T) {
	s := newScript(t, 4, piece)
	s.on(PeerJoined{Peer: "peer"})
	s.want(BitfieldReceived{"peer", emptySet(4)})
	s.on(PeerJoined{Peer: "o", Origin: true})
	s.want(BitfieldReceived{"o", emptySet(4)})
	s.want(PiecesWanted{1, 2, 2}, SendRequest{"o", 2, piece})
	s.want(RejectReceived{"o", 2}, SendRequest{"o", 3, piece})
	s.want(RejectReceived{"o", 3})
	s.want(Tick{})
	s.want(HaveReceived{"o", 3}, SendRequest{"o", 3, piece})
}

// The other side: an origin serves a piece that it has not shown, and then
// shows it to nobody else.
func TestOriginServesWhatIsHidden(t *testing.T) {
	s := newOrigin(t, 10)
	s.leecher("reader")
	shownTo := s.leecher("other")
	s.now = s.now.Add(time.Millisecond)
	var hiddenPiece int
	for s.s.inject.phase[hiddenPiece] != hidden {
		hiddenPiece++
	}
	more := s.fetch("reader", hiddenPiece)
	for _, h := range append(shownTo, more...) {
		if h.Piece == hiddenPiece {
			t.Errorf("piece %d is shown to %s", h.Piece, h.Peer)
		}
	}
	if s.s.inject.phase[hiddenPiece] != out || s.s.inject.giver[hiddenPiece].id != "reader" {
		t.Errorf("phase %d", s.s.inject.phase[hiddenPiece])
	}
	s.on(HaveReceived{"reader", hiddenPiece})
	s.on(HaveReceived{"other", hiddenPiece}) // it spreads like any other
	if s.s.inject.giver[hiddenPiece] != nil {
		t.Error("still the reader's alone")
	}
}

// A wanted piece that waits at a slow peer moves to a faster one that has
// other work; an ordinary one does not.
func TestWantedPieceLeavesASlowPeer(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		s := newScript(t, 40, piece)
		s.join([]int{0}, "slow")
		var most []int
		for i := range 40 {
			most = append(most, i)
		}
		s.join(most, "fast")
		for range 4 {
			p := s.s.byID["fast"].source.requests[0].piece
			for begin := 0; begin < piece; begin += block {
				s.now = s.now.Add(10 * time.Millisecond)
				s.on(BlockReceived{"fast", p, begin, block})
			}
			s.on(PieceStored{p})
		}
		if wanted {
			s.on(PiecesWanted{1, 0, 1})
		}
		var moved []SendCancel
		for range 40 {
			src := &s.s.byID["fast"].source
			r := src.requests[0]
			s.now = s.now.Add(10 * time.Millisecond)
			moved = append(moved, of[SendCancel](s.on(BlockReceived{"fast", r.piece, r.received, block}))...)
		}
		if (len(moved) == 1 && moved[0] == SendCancel{"slow", 0, piece}) != wanted {
			t.Errorf("wanted %v: %v", wanted, moved)
		}
	}
}

// A reader that comes with nothing has its first piece two round trips and a
// piece's time after it began to connect, although an origin shows other pieces (M8).
func TestColdReadIsFast(t *testing.T) {
	const pieces, length, delay, rate = 256, 256 << 10, 20 * time.Millisecond, 100 * mbit
	net := newNetwork(t, pieces, length, delay, 3)
	net.add("origin", true, true, rate, rate)
	reader := net.add("reader", false, false, rate, rate)
	const first = 100
	net.after(0, func() { net.handle(reader, PiecesWanted{1, first, 4}) })
	// The uplink and then the downlink take a piece's time, but for a block that they share.
	limit := 4*delay + 2*seconds(length/rate)
	for !reader.state.Held().Has(first) && net.elapsed() < 1 {
		net.step()
	}
	if took := seconds(net.elapsed()); took > limit {
		t.Errorf("the first piece took %v, want at most %v", took, limit)
	} else {
		t.Log(took, limit)
	}
}

// Readers that come and go, and claims, don't keep a swarm from completing.
func TestNetworkWithClaimsAndReaders(t *testing.T) {
	const pieces, length = 256, 32 << 10
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("origin", true, true, 20*mbit, 20*mbit)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 4 {
		node := net.add(nodeName(i), false, false, 4*mbit, 20*mbit)
		var read func()
		read = func() {
			net.handle(node, PiecesWanted{uint64(rng.IntN(3)), rng.IntN(pieces), 8})
			net.after(100*time.Millisecond, read)
		}
		net.after(0, read)
		net.claim(node, 4*length, 30*time.Millisecond, rng)
	}
	net.run(time.Minute)
	for _, n := range net.order[1:] {
		b := n.state.Bytes()
		if got := b.Origin + b.Peers + b.Upstream; got != pieces*length || b.Upstream == 0 || len(n.faults) > 0 {
			t.Errorf("%s: %+v, faults %v", n.id, b, n.faults)
		}
	}
}

// claim has a node fetch from outside, a run at a time, and give some of it
// back.
func (n *network) claim(node *simNode, max int64, perPiece time.Duration, rng *rand.Rand) {
	var next func()
	next = func() {
		var got Claimed
		for _, a := range append([]Action(nil), node.state.Handle(n.now, ClaimAsked{Max: max})...) {
			if c, ok := a.(Claimed); ok {
				got = c
				continue
			}
			n.carryOut(node, a)
		}
		checkInvariants(n.tb, node.state)
		keep := got.Count
		if rng.IntN(4) == 0 {
			keep /= 2
		}
		for i := range keep {
			n.after(time.Duration(i+1)*perPiece, func() { n.handle(node, PieceDelivered{got.First + i}) })
		}
		n.after(time.Duration(keep)*perPiece+time.Millisecond, func() {
			n.handle(node, ClaimReleased(got))
			next()
		})
	}
	n.after(0, next)
}
