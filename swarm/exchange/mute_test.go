package exchange

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A peer in our carrier that says for ever that it will come to our requests does not
// keep its pieces from us where another carrier has them; once it sends some it counts
// again.
func TestMutePeerIsPassedBy(t *testing.T) {
	const pieces = 8
	s := newMember(t, "a", pieces)
	s.on(PeerJoined{Peer: "near"})
	s.on(BitfieldReceived{"near", shoal.FullPieceSet(pieces)})
	far := emptySet(pieces)
	for i := range pieces / 2 {
		far.Add(i)
	}
	s.on(PeerJoined{Peer: "far", Carrier: "x"})
	s.on(BitfieldReceived{"far", far})
	queued := func(d time.Duration) (across int) {
		for range d / queuedInterval {
			s.wait(queuedInterval)
			for p := s.s.byID["far"]; len(p.source.requests) > 0; across++ {
				got := p.source.requests[0].piece
				s.on(BlockReceived{"far", got, 0, piece})
				s.on(PieceStored{got})
			}
			s.on(QueuedReceived{"near"})
		}
		return across
	}
	if n := queued(mutePatience); n != 0 {
		t.Errorf("%d pieces are fetched across before the patience is over", n)
	}
	queued(2 * maxPatience)
	if n := s.s.Held().Count(); n != pieces/2 {
		t.Fatalf("%d of the %d pieces are here that another carrier has", n, pieces/2)
	}
	near := s.s.byID["near"]
	if len(near.source.requests) == 0 {
		t.Fatal("the peer is asked for nothing any more, though nobody else has it")
	}
	s.on(BlockReceived{"near", near.source.requests[0].piece, 0, 1})
	if s.s.carrier.near[0] != 1 {
		t.Error("the peer does not count again")
	}
	s.on(PeerLeft{"near"})
}

// A source across that only ever says that it will come to our request does not keep
// the others of its carrier from being asked.
func TestQueueAcrossIsNotForEver(t *testing.T) {
	s := newMember(t, "a", 1000)
	for i := range crossFlows { // enough for one source each
		s.on(PeerJoined{Peer: shoal.NodeID(nodeName(i))})
	}
	s.joinFull("far0", "x")
	s.joinFull("far1", "x")
	for range (maxPatience + crossPatience) / queuedInterval {
		for _, a := range of[SendRequest](s.wait(queuedInterval)) {
			if a.Peer == "far1" {
				return
			}
		}
		s.on(QueuedReceived{"far0"})
	}
	t.Error("the other source is not asked")
}

// A tick costs little where nobody in another carrier has anything for us, however
// many pieces they have.
func BenchmarkNothingAcross(b *testing.B) {
	const pieces = 1 << 16
	s := newMember(b, "a", pieces).s
	now := time.Unix(1, 0)
	join := func(id shoal.NodeID, carrier string) {
		s.Handle(now, PeerJoined{Peer: id, Carrier: carrier})
		s.Handle(now, BitfieldReceived{id, shoal.FullPieceSet(pieces)})
	}
	join("near", "")
	for i := range 20 {
		join(shoal.NodeID(nodeName(i)), "x")
	}
	for b.Loop() {
		s.Handle(now, Tick{})
	}
}
