package exchange

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Each test here checks one rule of the package documentation on a state that
// is driven by hand.

const (
	block = 16 << 10
	piece = 3 * block
)

type script struct {
	tb  testing.TB
	s   *State
	now time.Time
	in  []Action // of the last event
}

func newScript(tb testing.TB, pieces int, length int, have ...int) *script {
	held := emptySet(pieces)
	for _, p := range have {
		held.Add(p)
	}
	return &script{tb: tb, now: time.Unix(1, 0), s: New(Config{
		Held: held, PieceLength: length, PieceSize: func(int) int { return length }, Rand: rand.New(rand.NewPCG(1, 1)),
	})}
}

func newOrigin(tb testing.TB, pieces int) *script {
	return &script{tb: tb, now: time.Unix(1, 0), s: New(Config{
		Held: shoal.FullPieceSet(pieces), PieceLength: piece, PieceSize: func(int) int { return piece },
		Rand: rand.New(rand.NewPCG(1, 1)), Origin: true,
	})}
}

// on feeds an event and returns the actions.
func (s *script) on(ev Event) []Action {
	s.tb.Helper()
	s.in = slices.Clone(s.s.Handle(s.now, ev))
	checkInvariants(s.tb, s.s)
	return s.in
}

// want checks the actions of an event.
func (s *script) want(ev Event, want ...Action) {
	s.tb.Helper()
	if got := s.on(ev); !reflect.DeepEqual(got, append([]Action{}, want...)) {
		s.tb.Errorf("%T%+v:\n%s, want\n%s", ev, ev, describe(got), describe(want))
	}
}

func describe(actions []Action) (text string) {
	for _, a := range actions {
		text += fmt.Sprintf("\t%T%+v\n", a, a)
	}
	return text
}

func of[A Action](actions []Action) (out []A) {
	for _, a := range actions {
		if a, ok := a.(A); ok {
			out = append(out, a)
		}
	}
	return out
}

// join connects peers that have the given pieces.
func (s *script) join(has []int, ids ...shoal.NodeID) {
	s.tb.Helper()
	for _, id := range ids {
		s.on(PeerJoined{Peer: id})
		set := emptySet(s.s.Held().Len())
		for _, p := range has {
			set.Add(p)
		}
		s.on(BitfieldReceived{id, set})
	}
}

// wait lets time pass as it does while the machine is awake.
func (s *script) wait(d time.Duration) (out []Action) {
	s.tb.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(TickInterval)
		out = append(out, s.on(Tick{})...)
	}
	return out
}

// "when a piece has about one bandwidth-delay product left to come, the next
// is requested"
func TestNextRequestBeforeTheLastBlock(t *testing.T) {
	s := newScript(t, 2, piece)
	s.on(PeerJoined{Peer: "a"})
	first := of[SendRequest](s.on(BitfieldReceived{"a", shoal.FullPieceSet(2)}))
	if len(first) != 1 || first[0].Length != piece {
		t.Fatalf("%s", describe(s.in))
	}
	p := first[0].Piece
	s.want(BlockReceived{"a", p, 0, block})
	s.want(BlockReceived{"a", p, block, block}, SendRequest{"a", 1 - p, piece})
	s.want(BlockReceived{"a", p, 2 * block, block}, Verify{"a", p})
	s.want(PieceStored{p}, SendHave{Peer: "a", Piece: p})
	s.on(BlockReceived{"a", 1 - p, 0, piece})
	s.want(PieceStored{1 - p}, SendHave{Peer: "a", Piece: 1 - p}, Completed{})
	if b := s.s.Bytes(); b != (Bytes{Peers: 2 * piece}) {
		t.Errorf("%+v", b)
	}
}

// What comes unasked or twice is waste, and counts for nothing else.
func TestUnsolicitedBlocksAreWaste(t *testing.T) {
	s := newScript(t, 2, piece)
	s.join([]int{0}, "a")
	wasted := int64(0)
	for _, ev := range []BlockReceived{
		{"a", 1, 0, block},        // not asked for
		{"a", 0, block, block},    // not the next one
		{"a", 0, 0, piece + 1},    // too long
		{"stranger", 0, 0, block}, // from nobody
	} {
		s.want(ev)
		wasted += int64(ev.Length)
	}
	s.on(BlockReceived{"a", 0, 0, block})
	s.on(BlockReceived{"a", 0, 0, block}) // twice
	s.want(BlockUnwanted{7})
	if b := s.s.Bytes(); b != (Bytes{Peers: block, Wasted: wasted + block + 7}) {
		t.Errorf("%+v", b)
	}
	s.on(PeerLeft{"a"}) // the rest of the piece is of no use now
	if b := s.s.Bytes(); b != (Bytes{Wasted: wasted + 2*block + 7}) {
		t.Errorf("%+v", b)
	}
}

func TestBytesAreCountedBySource(t *testing.T) {
	s := newScript(t, 3, piece)
	for i, ev := range []PeerJoined{{Peer: "o", Origin: true, Carrier: "x"}, {Peer: "x", Carrier: "x"}, {Peer: "n"}} {
		s.on(ev)
		s.on(HaveReceived{ev.Peer, i})
		s.on(BlockReceived{ev.Peer, i, 0, piece})
	}
	if b := s.s.Bytes(); b != (Bytes{Origin: piece, Peers: 2 * piece, Cross: 2 * piece}) {
		t.Errorf("%+v", b)
	}
	s.on(PieceCorrupt{"x", 1})
	if b := s.s.Bytes(); b != (Bytes{Origin: piece, Peers: piece, Cross: piece, Wasted: piece}) {
		t.Errorf("%+v", b)
	}
}

// A peer that sent a bad piece is dropped and named, also where it has left
// before the piece was verified, and the piece is asked for again.
func TestCorruptPeerIsNamed(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		s := newScript(t, 1, piece)
		s.join([]int{0}, "a", "b")
		s.want(BlockReceived{"a", 0, 0, piece}, Verify{"a", 0})
		if leaves {
			s.want(PeerLeft{"a"})
		}
		s.want(PieceCorrupt{"a", 0}, DropPeer{"a", Corrupt}, SendRequest{"b", 0, piece})
		if s.s.Peers() != 1 {
			t.Errorf("leaves %v: %d peers", leaves, s.s.Peers())
		}
	}
}

// A peer that refuses what it offered does not have it; the next one is asked.
func TestRejectMovesOn(t *testing.T) {
	s := newScript(t, 1, piece)
	s.join([]int{0}, "a", "b")
	s.on(BlockReceived{"a", 0, 0, block})
	s.want(RejectReceived{"b", 0}) // it was not asked
	s.want(RejectReceived{"a", 0}, SendRequest{"b", 0, piece})
	if b := s.s.Bytes(); b != (Bytes{Wasted: block}) {
		t.Errorf("%+v", b)
	}
	s.want(RejectReceived{"b", 0})
	s.want(HaveReceived{"a", 0}, SendRequest{"a", 0, piece}) // it has it again
}

// "a request that waits on a slow peer moves to a faster one", and is taken
// back at the first.
func TestStealMovesARequest(t *testing.T) {
	s := newScript(t, 3, piece)
	s.join([]int{0}, "slow")
	s.on(PeerJoined{Peer: "fast"})
	set := emptySet(3)
	set.Add(1)
	s.on(BitfieldReceived{"fast", set})
	s.now = s.now.Add(20 * time.Millisecond)
	s.on(BlockReceived{"fast", 1, 0, block})
	s.now = s.now.Add(20 * time.Millisecond)
	s.on(BlockReceived{"fast", 1, block, 2 * block}) // its rate is known now
	s.on(PieceStored{1})
	s.want(HaveReceived{"fast", 0}) // too early to tell
	s.now = s.now.Add(time.Second)
	s.want(Tick{}, SendCancel{"slow", 0, piece}, SendRequest{"fast", 0, piece})
	// It does not move back, and what the slow one sends now is waste.
	s.now = s.now.Add(time.Second)
	s.want(Tick{})
	s.want(BlockReceived{"slow", 0, 0, block})
	if b := s.s.Bytes(); b.Wasted != block {
		t.Errorf("%+v", b)
	}
}

// "A peer that is asked and stays silent is left alone, then dropped and
// named": three times, for longer each time.
func TestSilentPeerIsDropped(t *testing.T) {
	s := newScript(t, 1, piece)
	s.join([]int{0}, "a")
	var faults []Action
	began := s.now
	for s.s.Peers() > 0 && s.now.Sub(began) < time.Minute {
		for _, a := range s.wait(TickInterval) {
			switch a.(type) {
			case ReportFault, DropPeer, SendCancel:
				faults = append(faults, a)
			}
		}
	}
	report, cancel := ReportFault{"a", Stalled}, SendCancel{"a", 0, piece}
	want := []Action{cancel, report, cancel, report, cancel, DropPeer{"a", Stalled}}
	if !reflect.DeepEqual(faults, want) {
		t.Errorf("%s, want\n%s", describe(faults), describe(want))
	}
	if d := s.now.Sub(began); d < 3*firstPatience {
		t.Errorf("dropped after %v", d)
	}
}

// A sign of life in time is enough.
func TestSlowPeerIsNotSilent(t *testing.T) {
	s := newScript(t, 1, piece)
	s.join([]int{0}, "a")
	for begin := range 3 {
		for _, a := range s.wait(firstPatience - 2*TickInterval) {
			t.Errorf("%T%+v", a, a)
		}
		s.on(BlockReceived{"a", 0, begin * block, block})
		s.s.byID["a"].source.path.rate = ewma{} // patience as at first
	}
}

// A machine that slept does not take its peers for silent.
func TestSuspendIsNotSilence(t *testing.T) {
	s := newScript(t, 1, piece)
	s.join([]int{0}, "a")
	s.wait(time.Second)
	s.now = s.now.Add(time.Hour)
	s.want(Tick{})
	for _, a := range s.wait(firstPatience - 2*time.Second) {
		t.Errorf("%T%+v", a, a)
	}
	if got := of[ReportFault](s.wait(2 * time.Second)); len(got) != 1 {
		t.Errorf("a silent peer is not named after the sleep")
	}
}

func TestRequestsAreChecked(t *testing.T) {
	s := newScript(t, 4, piece, 0, 1)
	s.join(nil, "a", "b")
	s.want(RequestReceived{"stranger", 0, 0, piece})
	s.want(RequestReceived{"a", 2, 0, piece}, SendReject{"a", 2, 0, piece}) // BEP 6
	s.want(RequestReceived{"a", 0, block, 5}, SendBlock{"a", 0, block, 5})
	s.want(RequestReceived{"a", 1, 0, block})
	s.want(RequestReceived{"a", 1, 0, block}) // twice: once is enough
	s.want(BlockSent{"a"}, SendBlock{"a", 1, 0, block})
	s.want(BlockSent{"a"})
	s.want(BlockSent{"a"}) // nothing is under way
	for _, ev := range []RequestReceived{{"a", 0, piece, 1}, {"b", 0, piece - 1, 2}} {
		s.want(ev, DropPeer{ev.Peer, Protocol})
	}
	if s.s.Sent() != block+5 {
		t.Errorf("%d bytes sent", s.s.Sent())
	}
	s.join(nil, "c")
	for i := range maxQueue + 2 {
		s.on(RequestReceived{"c", 0, i, 1})
	}
	if got := of[DropPeer](s.in); len(got) != 1 || got[0].Fault != Protocol {
		t.Errorf("a peer may have any number of requests waiting: %s", describe(s.in))
	}
}

// A request that is taken back while it is served ends after its block.
func TestCancelOfWhatIsServed(t *testing.T) {
	s := newScript(t, 2, piece, 0, 1)
	s.join(nil, "a")
	sent := func() BlockSent { // not so fast that larger blocks are worth it
		s.now = s.now.Add(10 * time.Millisecond)
		return BlockSent{"a"}
	}
	s.want(RequestReceived{"a", 0, 0, piece}, SendBlock{"a", 0, 0, block})
	s.want(RequestReceived{"a", 1, 0, piece})
	s.want(CancelReceived{"a", 0, 0, piece})
	s.want(sent(), SendBlock{"a", 1, 0, block})
	s.want(CancelReceived{"a", 1, 0, block}) // of another length: not this one
	s.want(sent(), SendBlock{"a", 1, block, block})
	// And one that waits does not start.
	s.on(RequestReceived{"a", 0, 0, piece})
	s.want(CancelReceived{"a", 0, 0, piece})
	s.want(sent(), SendBlock{"a", 1, 2 * block, block})
	s.want(sent())
}

func TestUnreadablePieceIsRejected(t *testing.T) {
	s := newScript(t, 2, piece, 0, 1)
	s.join(nil, "a")
	s.on(RequestReceived{"a", 0, 0, piece})
	s.on(RequestReceived{"a", 1, 0, piece})
	s.want(ReadFailed{"a", 0}, SendReject{"a", 0, 0, piece}, SendBlock{"a", 1, 0, block})
}

// "A sender works on few requests at a time: [...] then on the piece that the fewest have"
func TestRarestIsServedFirst(t *testing.T) {
	s := newScript(t, 3, block, 0, 1, 2)
	s.join([]int{0, 1}, "holder")
	s.join([]int{0}, "holder2")
	busy := []shoal.NodeID{"a", "b", "c", "d"}
	s.join(nil, append(busy, "e", "f", "g")...)
	for _, id := range busy {
		if got := of[SendBlock](s.on(RequestReceived{id, 0, 0, block})); len(got) != 1 {
			t.Fatalf("%s is not served", id)
		}
	}
	s.want(RequestReceived{"e", 0, 0, block})
	s.want(RequestReceived{"f", 1, 0, block})
	s.want(RequestReceived{"g", 2, 0, block})
	s.want(BlockSent{"a"}, SendBlock{"g", 2, 0, block})
	s.want(BlockSent{"b"}, SendBlock{"f", 1, 0, block})
	s.want(BlockSent{"c"}, SendBlock{"e", 0, 0, block})
}

// "first for peers that have much less than others"
func TestPeerThatIsBehindIsServedFirst(t *testing.T) {
	const pieces = 2 * shares
	s := newScript(t, pieces, block, slices.Collect(shoal.FullPieceSet(pieces).All())...)
	s.join(slices.Collect(shoal.FullPieceSet(shares).All()), "ahead")
	s.join([]int{0}, "level", "behind")
	s.join([]int{0, 1}, "a", "b", "c", "d", "little")
	for _, id := range []shoal.NodeID{"a", "b", "c", "d"} {
		s.on(RequestReceived{id, 2, 0, block})
	}
	s.want(RequestReceived{"ahead", pieces - 1, 0, block}) // the rarest
	s.want(RequestReceived{"level", 1, 0, block})
	s.want(RequestReceived{"behind", pieces - 2, 0, block})
	s.want(RequestReceived{"little", pieces - 2, 0, block}) // has a little more
	s.want(BlockSent{"a"}, SendBlock{"behind", pieces - 2, 0, block})
	s.want(BlockSent{"b"}, SendBlock{"level", 1, 0, block})
	s.want(BlockSent{"c"}, SendBlock{"little", pieces - 2, 0, block})
	s.want(BlockSent{"d"}, SendBlock{"ahead", pieces - 1, 0, block})
}

// Who takes without ever saying that it has anything is not behind for ever.
func TestPeerThatTakesIsNotBehind(t *testing.T) {
	const pieces = 2 * shares
	s := newScript(t, pieces, block, slices.Collect(shoal.FullPieceSet(pieces).All())...)
	s.join(nil, "silent", "honest", "a", "b", "c")
	for i := range 4 { // four pieces are two steps
		s.want(RequestReceived{"silent", i, 0, block}, SendBlock{"silent", i, 0, block})
		s.on(BlockSent{"silent"})
	}
	s.on(HaveReceived{"honest", 0})
	for _, id := range []shoal.NodeID{"a", "b", "c"} {
		s.want(RequestReceived{id, 5, 0, block}, SendBlock{id, 5, 0, block})
	}
	s.join(nil, "d")
	s.want(RequestReceived{"d", 5, 0, block}, SendBlock{"d", 5, 0, block})
	s.want(RequestReceived{"silent", 6, 0, block})
	s.want(RequestReceived{"honest", 6, 0, block})
	s.want(BlockSent{"a"}, SendBlock{"honest", 6, 0, block})
}

// "one that has waited long goes before"
func TestAgedRequestGoesFirst(t *testing.T) {
	const length = 6 * block
	s := newScript(t, 2, length, 0, 1)
	s.join([]int{0}, "holder")
	busy := []shoal.NodeID{"a", "b", "c", "d"}
	s.join(nil, append(busy, "old", "new")...)
	for _, id := range busy {
		s.on(RequestReceived{id, 0, 0, length})
	}
	s.on(RequestReceived{"old", 0, 0, length})
	for range 5 {
		s.now = s.now.Add(agePatience/5 + time.Millisecond)
		for _, id := range busy {
			s.on(BlockSent{id})
		}
	}
	s.want(RequestReceived{"new", 1, 0, length}) // rarer
	s.want(BlockSent{"a"}, SendBlock{"old", 0, 0, block})
	s.want(BlockSent{"b"}, SendBlock{"new", 1, 0, block})
}

// A receiver that takes nothing loses its slot to the next, and goes on beside
// them when it takes something again.
func TestSlowReceiverLosesItsSlot(t *testing.T) {
	s := newScript(t, 1, piece, 0)
	s.join(nil, "a", "b", "c", "d", "e")
	for _, id := range []shoal.NodeID{"a", "b", "c", "d"} {
		s.on(RequestReceived{id, 0, 0, piece})
	}
	s.want(RequestReceived{"e", 0, 0, piece})
	s.now = s.now.Add(minSlotPatience)
	s.want(Tick{})
	s.now = s.now.Add(time.Millisecond)
	s.want(Tick{}, SendBlock{"e", 0, 0, block})
	s.want(BlockSent{"a"}, SendBlock{"a", 0, block, block})
	for range 2 {
		s.on(BlockSent{"a"})
	}
	if s.s.byID["a"].sink.busy {
		t.Error("still being served")
	}
}

// A piece that has begun to arrive moves too when nothing more comes, however
// fast its source was: well before the source counts as silent.
func TestStalledPieceMoves(t *testing.T) {
	s := newScript(t, 2, piece)
	s.join([]int{0}, "stalled")
	s.on(PeerJoined{Peer: "fast"})
	s.on(BitfieldReceived{"fast", shoal.FullPieceSet(2)})
	s.wait(TickInterval)
	s.on(BlockReceived{"stalled", 0, 0, block})
	s.on(BlockReceived{"fast", 1, 0, piece})
	s.on(PieceStored{1})
	if out := of[SendCancel](s.wait(200 * time.Millisecond)); len(out) != 0 {
		t.Fatalf("taken back too early: %v", out)
	}
	for range 20 {
		out := s.wait(TickInterval)
		if len(out) > 0 {
			if want := []Action{SendCancel{"stalled", 0, piece}, SendRequest{"fast", 0, piece}}; !reflect.DeepEqual(out, want) {
				t.Errorf("within a second:\n%s", describe(out))
			}
			return
		}
	}
	t.Error("not taken back within a second")
}

// A source that dribbles must not keep a piece for ever.
func TestDribblingSourceLosesItsPiece(t *testing.T) {
	s := newScript(t, 2, 4<<20)
	s.join([]int{0, 1}, "drip")
	first := s.s.byID["drip"].source.requests[0].piece
	s.on(BlockReceived{"drip", first, 0, 1})
	s.on(PeerJoined{Peer: "fast"})
	s.on(BitfieldReceived{"fast", shoal.FullPieceSet(2)})
	received := 1
	for i := range 1200 { // ten minutes
		for range 10 {
			s.now = s.now.Add(TickInterval)
			s.on(Tick{})
			for _, r := range s.s.byID["fast"].source.requests {
				for off := r.received; off < r.size; off += 1 << 19 {
					s.on(BlockReceived{"fast", r.piece, off, 1 << 19})
				}
			}
			for p := range s.s.verifying {
				s.on(PieceStored{p})
			}
		}
		if s.s.Held().Full() {
			t.Logf("complete after %v", time.Duration(i)*500*time.Millisecond)
			return
		}
		if p := s.s.byID["drip"]; p != nil && len(p.source.requests) > 0 {
			s.on(BlockReceived{"drip", first, received, 1})
			received++
		}
	}
	t.Errorf("not complete after ten minutes; the dribbler has sent %d bytes", received)
}

// A peer that never answers is found out although its requests are moved to
// others before each has waited for long.
func TestMutePeerIsNamedThoughOthersAreFaster(t *testing.T) {
	s := newScript(t, 2, piece)
	s.join([]int{0}, "mute")
	var faults []ReportFault
	for range 6 {
		faults = append(faults, of[ReportFault](s.wait(time.Second))...)
		if p := s.s.byID["mute"]; len(p.source.requests) > 0 {
			s.s.cancel(p, 0, s.now) // as the endgame and claims do
			s.s.request(p, s.now)
		}
	}
	if len(faults) != 1 || faults[0] != (ReportFault{"mute", Stalled}) {
		t.Errorf("faults %v", faults)
	}
}
