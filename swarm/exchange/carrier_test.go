package exchange

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// newMember is a node of a carrier that lacks everything, in a script.
func newMember(tb testing.TB, id string, pieces int) *script {
	return &script{tb: tb, now: time.Unix(1, 0), s: New(Config{
		Self: shoal.NodeID(id), Carrier: "home", Held: emptySet(pieces), PieceLength: piece,
		PieceSize: func(int) int { return piece }, Rand: rand.New(rand.NewPCG(1, 1)),
	})}
}

// joinFull has a peer with everything join.
func (s *script) joinFull(id shoal.NodeID, carrier string) {
	s.on(PeerJoined{Peer: id, Carrier: carrier})
	s.on(BitfieldReceived{id, shoal.FullPieceSet(s.s.Held().Len())})
}

// M7: of a carrier's members exactly one asks other carriers for a piece, and
// the work is about even.
func TestOneMemberAsks(t *testing.T) {
	const members, pieces = 5, 1000
	askers := make([]int, pieces)
	for i := range members {
		s := newMember(t, nodeName(i), pieces)
		for k := range members {
			if k != i {
				s.on(PeerJoined{Peer: shoal.NodeID(nodeName(k))})
			}
		}
		s.on(PeerJoined{Peer: "origin", Origin: true}) // fetches nothing
		s.joinFull("far", "x")
		s.s.divide()
		share := s.s.carrier.share
		if n := share.Count(); n < pieces/members/2 || n > 2*pieces/members {
			t.Errorf("%s asks for %d of %d pieces", nodeName(i), n, pieces)
		}
		for piece := range share.All() {
			askers[piece]++
		}
		for _, a := range of[SendRequest](s.in) {
			if !share.Has(a.Piece) {
				t.Errorf("%s asks for piece %d of another's", nodeName(i), a.Piece)
			}
		}
	}
	for piece, n := range askers {
		if n != 1 {
			t.Errorf("piece %d: %d members ask for it", piece, n)
		}
	}
}

// Large contents are divided by runs.
func TestManyPiecesAreDividedByRuns(t *testing.T) {
	const pieces = 3*mostRuns + 1
	s := newMember(t, "a", pieces)
	s.on(PeerJoined{Peer: "b"})
	s.joinFull("far", "x")
	s.s.divide()
	if n := len(s.s.carrier.owners); n > mostRuns {
		t.Errorf("%d runs", n)
	}
	for piece := range s.s.carrier.share.All() {
		if first := piece / s.s.carrier.run * s.s.carrier.run; !s.s.carrier.share.Has(first) {
			t.Fatalf("piece %d without the first of its run", piece)
		}
	}
}

// A member that brings in nothing is passed over, until it does.
func TestIdleMemberIsPassedOver(t *testing.T) {
	const pieces = 64
	s := newMember(t, "a", pieces)
	s.on(PeerJoined{Peer: "b"})
	s.joinFull("far", "x")
	s.s.divide()
	ours := s.s.carrier.share.Clone()
	s.wait(crossPatience / 2)
	if n := s.s.carrier.share.Count(); n != ours.Count() {
		t.Fatalf("%d pieces after half the patience, %d before", n, ours.Count())
	}
	s.wait(crossPatience)
	if n := s.s.carrier.share.Count(); n != pieces {
		t.Fatalf("%d of %d pieces are ours when the other member does nothing", n, pieces)
	}
	for piece := range pieces {
		if !ours.Has(piece) {
			s.on(HaveReceived{"b", piece})
			break
		}
	}
	s.on(Tick{})
	s.s.divide()
	if n := s.s.carrier.share.Count(); n != ours.Count() {
		t.Errorf("%d pieces are ours when the other member is back, %d before", n, ours.Count())
	}
}

// What is in our carrier already is not asked for elsewhere, however slow it is.
func TestNearPieceIsNotFetchedAcross(t *testing.T) {
	s := newMember(t, "a", 2)
	s.on(PeerJoined{Peer: "near", Origin: true})
	s.on(HaveReceived{"near", 1})
	s.joinFull("far", "x")
	for _, a := range of[SendRequest](s.in) {
		if a != (SendRequest{Peer: "far", Piece: 0, Length: piece}) {
			t.Errorf("%+v", a)
		}
	}
	s.wait(firstPatience / 2)
	for _, p := range s.s.peers {
		if p.id == "far" && p.requestFor(1) >= 0 {
			t.Error("piece 1 is asked for in the other carrier")
		}
	}
}

// Two carriers that lack the same pieces begin with different ones, and take
// the others' all the same when theirs are exhausted.
func TestCarriersPreferDifferentPieces(t *testing.T) {
	const pieces = 200
	prefers := func(home, other string) *shoal.PieceSet {
		s := newMember(t, "n", pieces)
		s.on(Placed{home})
		s.on(PeerJoined{Peer: "rival", Carrier: other})
		s.joinFull("far", "source")
		set := emptySet(pieces)
		for piece := range pieces {
			if s.s.preferred(piece) {
				set.Add(piece)
			}
		}
		for range pieces { // whatever is asked for comes at once
			for _, p := range s.s.peers {
				if p.id != "far" || len(p.source.requests) == 0 {
					continue
				}
				got := p.source.requests[0].piece
				if left := count(set.AndNot(s.s.Held())); left > 3 && !set.Has(got) {
					t.Fatalf("%s asks for piece %d while %d of its own are left", home, got, left)
				}
				s.on(BlockReceived{"far", got, 0, piece})
				s.on(PieceStored{got})
			}
		}
		if !s.s.Held().Full() {
			t.Errorf("%s has %d of %d pieces", home, s.s.Held().Count(), pieces)
		}
		return set
	}
	a, b := prefers("a", "b"), prefers("b", "a")
	for piece := range pieces {
		if a.Has(piece) == b.Has(piece) {
			t.Errorf("piece %d: preferred by both or none", piece)
		}
	}
	if n := a.Count(); n < pieces/3 || n > 2*pieces/3 {
		t.Errorf("one prefers %d of %d pieces", n, pieces)
	}
}

func count(seq func(func(int) bool)) (n int) {
	for range seq {
		n++
	}
	return n
}

// A few peers of another carrier are enough to fill the line to it.
func TestFewSourcesAcross(t *testing.T) {
	s := newMember(t, "a", 1000)
	for i := range 3 {
		s.on(PeerJoined{Peer: shoal.NodeID(nodeName(i))})
	}
	for i := range 10 {
		s.joinFull(shoal.NodeID(fmt.Sprintf("far%d", i)), "x")
	}
	busy := 0
	for _, p := range s.s.peers {
		if len(p.source.requests) > 0 {
			busy++
		}
	}
	if want := crossFlows / 4; busy != want {
		t.Errorf("%d sources are asked, want %d", busy, want)
	}
}

// An origin shows other carriers nothing while its own keeps the uplink busy,
// which spares the lines the way back; with nobody near it shows them all.
func TestOriginShowsNearFirst(t *testing.T) {
	for near, far := range map[int]bool{0: true, 1: true, uploadSlots: false} {
		s := newOrigin(t, 100)
		for i := range near {
			s.on(PeerJoined{Peer: shoal.NodeID(nodeName(i))})
		}
		s.on(PeerJoined{Peer: "far", Carrier: "x"})
		shown := 0
		for _, p := range s.s.peers {
			if p.class.cross {
				shown += len(p.given.shown)
			}
		}
		if (shown > 0) != far {
			t.Errorf("%d near peers: %d pieces shown to another carrier", near, shown)
		}
	}
}

// A peer that turns out to lack a piece is a member again, and takes its part.
func TestRejectMakesAMember(t *testing.T) {
	const pieces = 100
	s := newMember(t, "a", pieces)
	s.joinFull("near", "")
	s.joinFull("far", "x")
	s.s.divide()
	if n := s.s.carrier.share.Count(); n != pieces {
		t.Fatalf("%d of %d pieces are ours beside a peer that has them all", n, pieces)
	}
	asked := of[SendRequest](s.on(Tick{}))
	for _, p := range s.s.peers {
		if len(p.source.requests) > 0 {
			asked = append(asked, SendRequest{Peer: p.id, Piece: p.source.requests[0].piece})
		}
	}
	for _, r := range asked {
		if r.Peer == "near" {
			s.on(RejectReceived{"near", r.Piece})
			break
		}
	}
	s.s.divide()
	if n := s.s.carrier.share.Count(); n < pieces/4 || n > 3*pieces/4 {
		t.Errorf("%d of %d pieces are ours beside another member", n, pieces)
	}
}

// A source in another carrier that has nothing more for us leaves its place to another
// one at once.
func TestNextSourceAcross(t *testing.T) {
	const pieces = 40
	s := newMember(t, "a", pieces)
	for i := range crossFlows - 1 { // one source at a time is our part
		s.on(PeerJoined{Peer: shoal.NodeID(nodeName(i))})
	}
	s.on(PeerJoined{Peer: "far0", Carrier: "x"})
	s.on(PeerJoined{Peer: "far1", Carrier: "x"})
	s.s.divide()
	var ours []int
	for number := range s.s.carrier.share.All() {
		ours = append(ours, number)
	}
	if len(ours) < 2 {
		t.Fatalf("%d pieces are ours to ask for", len(ours))
	}
	s.want(HaveReceived{"far0", ours[0]}, SendRequest{"far0", ours[0], piece})
	s.want(HaveReceived{"far1", ours[1]})
	s.want(BlockReceived{"far0", ours[0], 0, piece}, Verify{"far0", ours[0]}, SendRequest{"far1", ours[1], piece})
}
