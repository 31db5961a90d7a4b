package exchange

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// leecher joins an origin with nothing and returns what it was shown.
func (s *script) leecher(id shoal.NodeID) []SendHave {
	s.tb.Helper()
	got := of[SendHave](s.on(PeerJoined{Peer: id}))
	return append(got, of[SendHave](s.on(BitfieldReceived{id, emptySet(s.s.Held().Len())}))...)
}

// fetch lets a peer fetch one piece whole, and returns what was shown then.
func (s *script) fetch(id shoal.NodeID, p int) (shown []SendHave) {
	s.tb.Helper()
	shown = of[SendHave](s.on(RequestReceived{id, p, 0, piece}))
	for s.s.byID[id].sink.busy {
		shown = append(shown, of[SendHave](s.on(BlockSent{id}))...)
	}
	return shown
}

// "An origin shows its pieces one by one, each to one peer, until each has left
// it once", and then everything to all.
func TestOriginShowsEachPieceOnce(t *testing.T) {
	const pieces = 40
	s := newOrigin(t, pieces)
	to := make(map[int]shoal.NodeID)
	ids := []shoal.NodeID{"a", "b", "c"}
	var queue []SendHave
	for _, id := range ids {
		queue = append(queue, s.leecher(id)...)
	}
	if len(queue) != len(ids) {
		t.Errorf("%d pieces shown at first", len(queue))
	}
	for len(queue) > 0 {
		h := queue[0]
		queue = queue[1:]
		if before, ok := to[h.Piece]; ok || !h.Shown {
			t.Fatalf("piece %d is shown to %s and %s", h.Piece, before, h.Peer)
		}
		to[h.Piece] = h.Peer
		queue = append(queue, s.fetch(h.Peer, h.Piece)...)
		for _, id := range ids { // the one has it, and then the others
			queue = append(queue, of[SendHave](s.on(HaveReceived{id, h.Piece}))...)
		}
	}
	if len(to) != pieces || s.s.inject != nil {
		t.Fatalf("%d pieces shown, injection ended: %v", len(to), s.s.inject == nil)
	}
	if full := of[SendBitfield](s.on(PeerJoined{Peer: "late"})); len(full) != 1 || !full[0].Set.Full() {
		t.Errorf("a late peer sees %s", describe(s.in))
	}
}

func TestInjectionEndsWithTheFullBitfield(t *testing.T) {
	s := newOrigin(t, 1)
	h := s.leecher("a")
	if len(h) != 1 {
		t.Fatalf("%s", describe(s.in))
	}
	if set := of[SendBitfield](s.on(PeerJoined{Peer: "b"})); len(set) != 1 || set[0].Set.Count() != 0 {
		t.Errorf("%s", describe(s.in))
	}
	s.fetch("a", h[0].Piece)
	sets := of[SendBitfield](s.in)
	if len(sets) != 2 || !sets[0].Set.Full() || !sets[1].Set.Full() {
		t.Errorf("%s", describe(s.in))
	}
}

// "a peer that does not pass them on is shown no more": none while it has
// maxSole pieces that no other has, where there are others to show to.
func TestSoleHolderIsShownNoMore(t *testing.T) {
	s := newOrigin(t, 100)
	next := s.leecher("hoarder")
	busy := s.leecher("other")[0].Piece
	s.on(RequestReceived{"other", busy, 0, piece}) // the uplink is never idle
	var fetched []int
	for len(next) > 0 && len(fetched) < 50 {
		h := next[0]
		if next = next[1:]; h.Peer != "hoarder" {
			t.Fatalf("%+v", h)
		}
		next = append(next, s.fetch("hoarder", h.Piece)...)
		next = append(next, of[SendHave](s.on(HaveReceived{"hoarder", h.Piece}))...)
		fetched = append(fetched, h.Piece)
	}
	if len(fetched) != maxSole {
		t.Errorf("took %d pieces for itself", len(fetched))
	}
	// When another has one of them too, there is room for the next.
	s.on(HaveReceived{"other", fetched[0]})
	if got := of[SendHave](s.in); len(got) != 1 || got[0].Peer != "hoarder" {
		t.Errorf("%s", describe(s.in))
	}
}

// A peer that does not fetch what it is shown loses it to another.
func TestLazyPeerLosesWhatItWasShown(t *testing.T) {
	s := newOrigin(t, 2)
	kept := s.leecher("lazy")[0].Piece
	mine := s.leecher("keen")
	if len(mine) != 1 {
		t.Fatalf("%s", describe(s.in))
	}
	s.fetch("keen", mine[0].Piece)
	s.on(HaveReceived{"keen", mine[0].Piece})
	got := of[SendHave](s.wait(showPatience + TickInterval))
	if len(got) != 1 || got[0].Peer != "keen" || got[0].Piece != kept {
		t.Errorf("%+v", got)
	}
	// A peer whose request waits here is not lazy.
	s = newOrigin(t, 2)
	p := s.leecher("a")[0].Piece
	s.leecher("b")
	s.on(RequestReceived{"a", p, 0, piece})
	for _, h := range of[SendHave](s.wait(showPatience + TickInterval)) {
		if h.Piece == p {
			t.Error("taken back while it is being fetched")
		}
	}
}

// What a peer took with it when it left is shown again.
func TestInjectionForgetsPeersThatLeave(t *testing.T) {
	for _, fetched := range []bool{false, true} {
		s := newOrigin(t, 1)
		p := s.leecher("a")[0].Piece
		s.on(PeerJoined{Peer: "b"})
		if fetched {
			s.on(RequestReceived{"a", p, 0, piece}) // under way
		}
		s.want(PeerLeft{"a"}, SendHave{Peer: "b", Piece: p, Shown: true})
	}
	// One that another has as well is not.
	s := newOrigin(t, 2)
	p := s.leecher("a")[0].Piece
	s.leecher("b")
	s.fetch("a", p)
	s.on(HaveReceived{"a", p})
	s.on(HaveReceived{"b", p})
	for _, h := range of[SendHave](s.on(PeerLeft{"a"})) {
		if h.Piece == p {
			t.Error("shown again while another has it")
		}
	}
}

// More is shown at a time where the uplink runs dry in between.
func TestInjectionWidens(t *testing.T) {
	s := newOrigin(t, 300)
	queue := s.leecher("a")
	if len(queue) != 1 {
		t.Fatalf("%d pieces shown at first", len(queue))
	}
	most := 0
	for range 20 {
		var next []SendHave
		for _, h := range queue {
			next = append(next, s.fetch("a", h.Piece)...)
			s.on(HaveReceived{"a", h.Piece})
			next = append(next, of[SendHave](s.in)...)
		}
		queue, most = next, max(most, len(s.s.byID["a"].given.shown))
	}
	if most < 8 {
		t.Errorf("%d pieces shown at a time at most", most)
	}
	if most > maxWindow {
		t.Errorf("%d pieces shown at a time", most)
	}
}

// A second seed makes showing one by one pointless.
func TestSecondSeedEndsInjection(t *testing.T) {
	s := newOrigin(t, 10)
	s.leecher("a")
	s.on(PeerJoined{Peer: "seed"})
	s.on(BitfieldReceived{"seed", shoal.FullPieceSet(10)})
	if s.s.inject != nil {
		t.Error("still injecting")
	}
	if sets := of[SendBitfield](s.in); len(sets) != 2 || !sets[0].Set.Full() {
		t.Errorf("%s", describe(s.in))
	}
	if s := newScript(t, 3, piece); s.s.inject != nil {
		t.Error("a node without all pieces injects")
	}
}

// With many peers every one is given something to spread.
func TestInjectionIsSpreadEvenly(t *testing.T) {
	s := newOrigin(t, 64)
	count := make(map[shoal.NodeID]int)
	var queue []SendHave
	for i := range 8 {
		queue = append(queue, s.leecher(shoal.NodeID(fmt.Sprint("p", i)))...)
	}
	for len(queue) > 0 {
		h := queue[0]
		queue = queue[1:]
		count[h.Peer]++
		s.now = s.now.Add(time.Millisecond)
		queue = append(queue, s.fetch(h.Peer, h.Piece)...)
		for i := range 8 {
			queue = append(queue, of[SendHave](s.on(HaveReceived{shoal.NodeID(fmt.Sprint("p", i)), h.Piece}))...)
		}
	}
	for id, n := range count {
		if n < 4 || n > 16 {
			t.Errorf("%s was shown %d of 64 pieces", id, n)
		}
	}
}

// A distant peer may have more pieces that only it has: it takes longer to hear
// that they have spread.
func TestDistantPeersAreShownMore(t *testing.T) {
	for delay, want := range map[time.Duration]int{0: maxSole, soleDelay / 2: maxSole, 3 * soleDelay: 4 * maxSole, time.Second: (1 + mostDelays) * maxSole} {
		s := newOrigin(t, 100)
		s.on(PeerJoined{Peer: "a", Carrier: "x"})
		shown := of[SendHave](s.in)
		if len(shown) == 0 {
			t.Fatal("nothing is shown")
		}
		s.now = s.now.Add(delay)
		s.on(RequestReceived{"a", shown[0].Piece, 0, piece})
		if got := s.s.byID["a"].given.maxSole(); got != want {
			t.Errorf("%v away: %d pieces, want %d", delay, got, want)
		}
	}
}

// Peers near the origin that stop to fetch don't keep it from showing pieces to others.
func TestLazyPeersDoNotKeepTheOriginToThemselves(t *testing.T) {
	const pieces = 100
	s := newOrigin(t, pieces)
	fetch := func(id shoal.NodeID) { // all that it was shown
		p := s.s.byID[id]
		for _, x := range slices.Clone(p.given.shown) {
			s.on(RequestReceived{id, x.piece, 0, piece})
			for p.sink.busy {
				s.on(BlockSent{id})
			}
			s.on(HaveReceived{id, x.piece})
		}
	}
	for i := range uploadSlots {
		s.on(PeerJoined{Peer: shoal.NodeID(nodeName(i))})
	}
	for range 4 * maxSole { // until each has pieces that only it has
		for i := range uploadSlots {
			fetch(shoal.NodeID(nodeName(i)))
		}
		s.wait(TickInterval)
		if p := s.s.peers; min(p[0].given.sole, p[1].given.sole, p[2].given.sole, p[3].given.sole) >= maxSole {
			break
		}
	}
	s.on(PeerJoined{Peer: "far", Carrier: "x"})
	for range 2 * time.Minute / time.Second {
		s.wait(time.Second)
		fetch("far")
	}
	if n := s.s.byID["far"].has.Count(); n < pieces/4 {
		t.Errorf("the other carrier got %d of %d pieces while the near ones slept", n, pieces)
	}
}
