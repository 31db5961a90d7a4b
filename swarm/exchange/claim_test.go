package exchange

import (
	"reflect"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// claim asks for pieces and returns what was claimed.
func (s *script) claim(max int64, allowed *shoal.PieceSet) Claimed {
	s.tb.Helper()
	got := of[Claimed](s.on(ClaimAsked{Max: max, Allowed: allowed}))
	if len(got) == 0 {
		return Claimed{}
	}
	return got[0]
}

func subset(n int, pieces ...int) *shoal.PieceSet {
	s := emptySet(n)
	for _, p := range pieces {
		s.Add(p)
	}
	return s
}

// "Claimed pieces are requested from no peer until they are delivered or
// released."
func TestClaimedPiecesAreNotRequested(t *testing.T) {
	s := newScript(t, 4, piece)
	if got := s.claim(3*piece, subset(4, 0, 1, 3)); got != (Claimed{0, 2}) {
		t.Fatalf("claimed %+v", got)
	}
	if got := s.claim(1, subset(4, 0, 1, 3)); got != (Claimed{3, 1}) {
		t.Fatalf("claimed %+v", got)
	}
	s.join([]int{0, 1, 2, 3}, "a")
	if got := of[SendRequest](s.in); len(got) != 1 || got[0].Piece != 2 {
		t.Fatalf("%s", describe(s.in))
	}
	s.on(BlockReceived{"a", 2, 0, piece})
	s.want(PieceStored{2}, SendHave{Peer: "a", Piece: 2})
	s.want(Tick{})
	s.want(ClaimReleased{3, 1}, SendRequest{"a", 3, piece})
	s.want(ClaimReleased{2, 2}) // not claimed
	s.on(BlockReceived{"a", 3, 0, piece})
	s.want(PieceStored{3}, SendHave{Peer: "a", Piece: 3})
	s.on(ClaimReleased{-5, 1 << 40})
	if got := of[SendRequest](s.in); len(got) != 1 || got[0].Piece > 1 || len(s.s.claims.pieces) != 0 {
		t.Errorf("%s", describe(s.in))
	}
}

func TestDeliveredPiece(t *testing.T) {
	s := newScript(t, 2, piece)
	s.join(nil, "a")
	first := s.claim(2*piece, nil)
	if first != (Claimed{0, 2}) {
		t.Fatalf("claimed %+v", first)
	}
	s.want(PieceDelivered{0}, StorePiece{0})
	s.want(PieceDelivered{0})   // twice at once
	s.want(ClaimReleased{0, 1}) // too late
	s.want(PieceStored{0}, SendHave{Peer: "a", Piece: 0})
	s.want(PieceDelivered{0}) // and afterwards
	s.want(PieceDelivered{1}, StorePiece{1})
	s.want(PieceStored{1}, SendHave{Peer: "a", Piece: 1}, Completed{})
	if b := s.s.Bytes(); b != (Bytes{Upstream: 2 * piece, Wasted: 2 * piece}) {
		t.Errorf("%+v", b)
	}
	if got := s.claim(piece, nil); got.Count != 0 {
		t.Errorf("claimed %+v of what is complete", got)
	}
}

// What comes from outside unasked is as good, and its request is taken back.
func TestDeliveredWithoutAClaim(t *testing.T) {
	s := newScript(t, 2, piece)
	s.want(PieceDelivered{1}, StorePiece{1})
	s.on(PieceStored{1})
	s.join([]int{0}, "a")
	s.on(BlockReceived{"a", 0, 0, block})
	s.want(PieceDelivered{0}, SendCancel{"a", 0, piece}, StorePiece{0})
	s.want(BlockReceived{"a", 0, block, block}) // crossed with the cancel
	s.on(PieceStored{0})
	if b := s.s.Bytes(); b != (Bytes{Upstream: 2 * piece, Wasted: 2 * block}) {
		t.Errorf("%+v", b)
	}
}

// In the end a claim takes what waits at a slow peer, as the endgame does, and
// no peer takes it back.
func TestClaimTakesOverFromASlowPeer(t *testing.T) {
	s := newScript(t, 2, piece)
	s.join([]int{0}, "slow")
	if got := s.claim(10*piece, nil); got != (Claimed{1, 1}) {
		t.Fatalf("claimed %+v", got)
	}
	s.now = s.now.Add(100 * time.Millisecond)
	s.on(PieceDelivered{1}) // a claim takes 100 ms
	s.on(PieceStored{1})
	if got := s.claim(piece, nil); got.Count != 0 {
		t.Errorf("claimed %+v too early", got)
	}
	s.now = s.now.Add(200 * time.Millisecond)
	if got := s.claim(piece, subset(2, 1)); got.Count != 0 {
		t.Errorf("claimed %+v, which is not allowed", got)
	}
	s.want(ClaimAsked{Max: piece}, SendCancel{"slow", 0, piece}, Claimed{0, 1})
	s.join([]int{0}, "other")
	s.now = s.now.Add(10 * time.Second)
	s.want(Tick{})
	if got := s.claim(piece, nil); got.Count != 0 {
		t.Errorf("claimed %+v twice", got)
	}
}

// A piece that is arriving well stays where it is.
func TestClaimLeavesWhatArrives(t *testing.T) {
	s := newScript(t, 1, piece)
	s.join([]int{0}, "a")
	s.now = s.now.Add(100 * time.Millisecond)
	s.on(BlockReceived{"a", 0, 0, block}) // 200 ms are left
	s.now = s.now.Add(5 * time.Second)
	if got := s.claim(piece, nil); got.Count != 0 {
		t.Errorf("claimed %+v", got)
	}
}

// What a reader waits for is claimed before the rarest.
func TestClaimIsUrgentFirst(t *testing.T) {
	s := newScript(t, 8, piece)
	s.join([]int{1}, "a") // asked for
	s.join([]int{0, 1, 2}, "b")
	s.on(PeerLeft{"b"})
	s.join([]int{2}, "c")
	s.on(PeerLeft{"c"})
	s.on(PiecesWanted{1, 1, 3})
	if got := s.claim(10*piece, nil); got != (Claimed{2, 2}) {
		t.Errorf("claimed %+v", got)
	}
	if got := s.claim(2*piece, nil); got != (Claimed{4, 2}) && got != (Claimed{6, 2}) {
		t.Errorf("claimed %+v when nothing urgent is free", got)
	}
	// And what waits at a slow peer, if a reader waits for it.
	s.now = s.now.Add(2*unknownUpstream + stealMargin)
	if got := s.claim(2*piece, subset(8, 0)); got != (Claimed{0, 1}) {
		t.Errorf("claimed %+v, where that was not allowed", got)
	}
	s.want(ClaimAsked{Max: 2 * piece}, SendCancel{"a", 1, piece}, Claimed{1, 1})
}

// An origin that shows a piece which was claimed hears at once that nobody will
// fetch it.
func TestClaimedPieceIsDeclined(t *testing.T) {
	s := newScript(t, 4, piece)
	s.on(PeerJoined{Peer: "o", Origin: true})
	s.on(PeerJoined{Peer: "a"})
	if got := s.claim(piece, subset(4, 1)); got != (Claimed{1, 1}) {
		t.Fatalf("claimed %+v", got)
	}
	s.want(HaveReceived{"a", 1})
	s.want(HaveReceived{"o", 1}, SendCancel{"o", 1, piece})
	s.on(HaveReceived{"o", 0})
	s.on(HaveReceived{"o", 2}) // waits for the other
	asked := s.s.byID["o"].source.requests[0].piece
	s.want(ClaimAsked{Max: piece, Allowed: subset(4, 0, 2)}, SendCancel{"o", 2 - asked, piece}, Claimed{2 - asked, 1})
}

// The other side: the origin takes the piece back and shows it later, to
// another if it can.
func TestDeclinedPieceIsShownAgain(t *testing.T) {
	s := newOrigin(t, 4)
	first := s.leecher("a")[0].Piece
	s.on(CancelReceived{"a", first, 0, piece})
	if got := of[SendHave](s.in); len(got) != 0 {
		t.Errorf("%s", describe(s.in))
	}
	var order []int
	for len(order) < 4 {
		for _, h := range of[SendHave](s.wait(declinePause)) {
			order = append(order, h.Piece)
			s.on(HaveReceived{"a", h.Piece}) // it came from elsewhere
		}
	}
	if order[3] != first {
		t.Errorf("shown again: %v, declined %d", order, first)
	}

	s = newOrigin(t, 4) // what is requested is not declined
	first = s.leecher("a")[0].Piece
	s.on(RequestReceived{"a", first, 0, piece})
	s.want(CancelReceived{"a", first, 0, piece})
	if s.s.inject.phase[first] != shown {
		t.Error("taken back while it is being served")
	}
}

// Several claims at a time, of several files, take every piece once.
func TestClaimsTakeEveryPieceOnce(t *testing.T) {
	const pieces = 50
	s := newScript(t, pieces, piece)
	s.s.cfg.Starts = subset(pieces, 0, 3, 4, 20)
	seen := emptySet(pieces)
	for {
		c := s.claim(4*piece, nil)
		if c.Count == 0 {
			break
		}
		for i := range c.Count {
			if !seen.Add(c.First + i) {
				t.Errorf("piece %d is claimed twice", c.First+i)
			}
		}
	}
	if !seen.Full() {
		t.Errorf("%d of %d pieces claimed", seen.Count(), pieces)
	}
}

func TestSurvey(t *testing.T) {
	s := newScript(t, 4, piece, 0)
	check := func(when string, want Survey) {
		t.Helper()
		if got := s.s.Survey(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	check("alone", Survey{Lacking: 3})
	s.join([]int{0}, "useless")
	check("a peer with nothing new", Survey{Lacking: 3})
	s.join([]int{0, 1}, "near")
	check("a peer with one piece", Survey{Useful: 1, Near: 1, Lacking: 2})
	s.on(PeerJoined{Peer: "far", Carrier: "x"})
	s.on(HaveReceived{"far", 2})
	check("another carrier", Survey{Useful: 2, Near: 1, Lacking: 1})
	s.on(PeerJoined{Peer: "origin", Origin: true, Carrier: "x"})
	check("an origin that has shown nothing", Survey{Useful: 3, Near: 1})
	s.on(PeerLeft{"origin"})
	s.wait(firstPatience + 3*time.Second) // far is asked for nothing: it is another member's turn
	check("silence", Survey{Useful: 1, Lacking: 1})
	s.on(BlockReceived{"near", 1, 0, 1})
	for _, p := range []int{1, 2, 3} {
		s.on(PieceDelivered{p})
		s.on(PieceStored{p})
	}
	check("complete", Survey{})
}

// A peer with a known rate takes an overdue claim over, never one at its usual
// speed, and what the claimer delivers late still counts.
func TestOverdueClaimIsRaced(t *testing.T) {
	for _, c := range []struct {
		name      string
		took      time.Duration // from the earlier claim to its piece
		age       time.Duration
		delivered int // pieces of the run that came
		urgent    bool
		raced     bool
	}{
		{"at its usual speed", time.Second, 1900 * time.Millisecond, 0, false, false},
		{"overdue", time.Second, 2100 * time.Millisecond, 0, false, true},
		{"overdue, and read", time.Second, 2100 * time.Millisecond, 0, true, true},
		{"read, at its usual speed", time.Second, 1900 * time.Millisecond, 0, true, false},
		{"the second of a run", time.Second, 3900 * time.Millisecond, 1, false, false},
		{"the second of a run, overdue", time.Second, 4100 * time.Millisecond, 1, false, true},
		{"the peer is no sooner", time.Millisecond, 100 * time.Millisecond, 0, false, false},
		{"the peer is sooner", time.Millisecond, time.Second, 0, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, 4, piece)
			if got := s.claim(piece, subset(4, 0)); got != (Claimed{0, 1}) {
				t.Fatalf("claimed %+v", got)
			}
			s.now = s.now.Add(c.took)
			s.on(PieceDelivered{0})
			s.on(PieceStored{0})
			s.join([]int{1}, "a") // shows its rate
			s.now = s.now.Add(100 * time.Millisecond)
			s.on(BlockReceived{"a", 1, 0, piece})
			s.on(PieceStored{1})
			if got := s.claim(2*piece, nil); got != (Claimed{2, 2}) {
				t.Fatalf("claimed %+v", got)
			}
			s.on(HaveReceived{"a", 2})
			s.on(HaveReceived{"a", 3})
			for i := range c.delivered {
				s.now, c.age = s.now.Add(c.took), c.age-c.took
				s.on(PieceDelivered{2 + i})
			}
			if c.urgent {
				s.on(PiecesWanted{1, 3, 1})
			}
			s.now = s.now.Add(c.age)
			asked := of[SendRequest](s.on(Tick{}))
			if (len(asked) > 0) != c.raced {
				t.Fatalf("asked for %+v", asked)
			}
			if !c.raced {
				return
			}
			if c.urgent && asked[0].Piece != 3 {
				t.Errorf("asked for %d first, a reader waits for 3", asked[0].Piece)
			}
			late := asked[0].Piece
			s.want(PieceDelivered{late}, SendCancel{"a", late, piece}, StorePiece{late})
		})
	}
}

// An upstream that claims a tenth and stalls does not decide when a content is
// complete.
func TestStalledClaim(t *testing.T) {
	const pieces, length = 100, 256 << 10
	took := func(claims bool) float64 {
		net := newNetwork(t, pieces, length, 5*time.Millisecond, 3)
		net.add("seed", true, false, 20*mbit, 20*mbit)
		n := net.add("leecher", false, false, 20*mbit, 20*mbit)
		if claims {
			net.after(0, func() { net.handle(n, ClaimAsked{Max: pieces / 10 * length}) })
		}
		net.run(time.Hour)
		return net.elapsed()
	}
	alone, raced := took(false), took(true)
	if raced > 1.1*alone+1 {
		t.Errorf("took %.1f s with a stalled claim, %.1f s without", raced, alone)
	}
}
