package exchange

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func TestIsSlow(t *testing.T) {
	for _, c := range []struct {
		name    string
		brought int
		owed    bool
		before  bool
		want    bool
	}{
		{"as fast as we", 16, true, false, false},
		{"an eighth", 2, true, false, false},
		{"less", 1, true, false, true},
		{"nothing to bring", 0, false, false, false},
		{"still slow", 1, true, true, true},
		{"fast again", 2, true, true, false},
		{"others brought its pieces", 0, false, true, true},
		{"fast enough to have nothing left", 4, false, true, false},
	} {
		if got := isSlow(tally{c.brought, c.owed}, tally{16, true}, c.before); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A member that goes on at a small part of our pace loses its share to the next
// in rank within seconds, and has it back once it is faster (M6).
func TestSlowMemberLosesItsShare(t *testing.T) {
	const pieces = 600
	s := newMember(t, "a", pieces)
	s.on(PeerJoined{Peer: "b"})
	s.joinFull("far", "x")
	s.s.divide()
	ours := s.s.carrier.share.Clone()
	// go on for so long: we bring in 10 pieces a second, and b one of its own each so often.
	goOn := func(d, each time.Duration) {
		for end, next := s.now.Add(d), s.now; s.now.Before(end); {
			s.wait(2 * TickInterval)
			got := s.s.byID["far"].source.requests[0].piece
			s.on(BlockReceived{"far", got, 0, piece})
			s.on(PieceStored{got})
			for ; !next.After(s.now); next = next.Add(each) {
				for theirs := range s.s.Held().Missing() {
					if !ours.Has(theirs) && s.s.carrier.near[theirs] == 0 {
						s.on(HaveReceived{"b", theirs})
						break
					}
				}
			}
		}
	}
	alone := func() bool { return s.s.carrier.share.Full() }
	goOn(7*time.Second, 400*time.Millisecond)
	if alone() {
		t.Fatal("a quarter of our pace is too slow")
	}
	goOn(7*time.Second, 2*time.Second)
	if !alone() {
		t.Fatalf("%d of %d pieces are ours while the other member brings in a twentieth", s.s.carrier.share.Count(), pieces)
	}
	goOn(7*time.Second, 200*time.Millisecond)
	if alone() || s.s.carrier.share.Count() != ours.Count() {
		t.Errorf("%d pieces are ours when the other member is fast again, %d before", s.s.carrier.share.Count(), ours.Count())
	}
}

// Of several others, it is the next in rank who takes a slow member's place.
func TestNextInRankTakesOver(t *testing.T) {
	const pieces = 300
	ids := []shoal.NodeID{"a", "b", "slow"}
	askers := make([]int, pieces)
	for _, self := range ids[:2] {
		s := newMember(t, string(self), pieces)
		for _, id := range ids {
			if id != self {
				s.on(PeerJoined{Peer: id})
			}
		}
		s.joinFull("far", "x")
		s.s.byID["slow"].member.slow = true
		s.s.carrier.stale = true
		s.s.divide()
		for number := range s.s.carrier.share.All() {
			askers[number]++
		}
	}
	for number, n := range askers {
		if n != 1 {
			t.Errorf("piece %d: %d members ask for it", number, n)
		}
	}
}

// A request across that waits moves to another carrier when it would hold us up,
// and not while our share takes longer anyway.
func TestLateRequestAcrossWaitsForTheRest(t *testing.T) {
	for _, c := range []struct {
		pace float64 // of the members, seconds a piece
		want bool
	}{{0.01, true}, {10, false}} {
		s := newMember(t, "a", 3)
		s.on(PeerJoined{Peer: "slow", Carrier: "x"})
		s.on(HaveReceived{"slow", 0})
		s.on(PeerJoined{Peer: "fast", Carrier: "y"})
		s.on(HaveReceived{"fast", 1})
		s.now = s.now.Add(20 * time.Millisecond)
		s.on(BlockReceived{"fast", 1, 0, block})
		s.now = s.now.Add(20 * time.Millisecond)
		s.on(BlockReceived{"fast", 1, block, 2 * block}) // its rate is known now
		s.on(PieceStored{1})
		s.on(HaveReceived{"fast", 0})
		s.s.carrier.pace.add(c.pace, 1)
		asked := of[SendRequest](s.wait(2 * time.Second))
		if got := len(asked) == 1 && asked[0] == (SendRequest{"fast", 0, piece}); got != c.want {
			t.Errorf("a piece in %v s: asked %+v", c.pace, asked)
		}
	}
}
