package exchange

import (
	"testing"

	"github.com/shoal-cdn/shoal"
)

// Of too many that lack pieces the one that is asked for the least is let go: not one that must
// not be, nor is in the middle of a piece, and nobody that has everything.
func TestSpare(t *testing.T) {
	const pieces = 8
	one := func(i int) *shoal.PieceSet {
		set := shoal.NewPieceSet(pieces)
		set.Add(i)
		return set
	}
	s := newScript(t, pieces, piece, 0)
	s.on(PeerJoined{Peer: "origin", Origin: true})
	for i, id := range []shoal.NodeID{"giver", "asked", "taker", "newcomer"} {
		s.on(PeerJoined{Peer: id})
		if i < 2 {
			s.on(BitfieldReceived{id, one(i + 1)})
		}
	}
	s.on(PeerJoined{Peer: "seed"})
	s.on(BitfieldReceived{"seed", shoal.FullPieceSet(pieces)})
	all := func(shoal.NodeID) bool { return true }
	but := func(not shoal.NodeID) func(shoal.NodeID) bool {
		return func(id shoal.NodeID) bool { return id != not }
	}
	if id, ok := s.s.Spare(4, all); ok {
		t.Errorf("%s of four is let go", id)
	}
	if id, ok := s.s.Spare(3, all); !ok || id != "taker" {
		t.Errorf("%s, %v, want the first without any requests", id, ok)
	}
	s.on(RequestReceived{"taker", 0, 0, piece})
	if id, ok := s.s.Spare(3, all); !ok || id != "newcomer" {
		t.Errorf("%s, %v, want the one that is not being served", id, ok)
	}
	if id, ok := s.s.Spare(3, but("newcomer")); !ok || id != "giver" {
		t.Errorf("%s, %v, want the first of those with a request", id, ok)
	}
	s.on(BlockReceived{"giver", 1, 0, block})
	if id, ok := s.s.Spare(3, but("newcomer")); !ok || id != "asked" {
		t.Errorf("%s, %v, want the one that nothing has come from", id, ok)
	}
	if id, ok := s.s.Spare(3, func(shoal.NodeID) bool { return false }); ok {
		t.Errorf("%s is let go, which may not be", id)
	}
}
