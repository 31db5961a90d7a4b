package exchange

import (
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal/swarm/picker"
)

// checkInvariants compares a state's counters with what they count. It costs
// as much as everything else together, so simulations call it now and then.
func checkInvariants(tb testing.TB, s *State) {
	tb.Helper()
	pieces := s.Held().Len()
	holders := make([]int, pieces)
	near := make([]uint32, pieces)
	asked := make(map[int]int)
	var expected int64
	slots := 0
	for _, p := range s.peers {
		if s.byID[p.id] != p {
			tb.Errorf("%s is not found by its ID", p.id)
		}
		for piece := range p.has.All() {
			holders[piece]++
			if !p.class.cross && !p.member.mute {
				near[piece]++
			}
			if p.foreign != nil && !p.foreign.has.Has(piece) {
				tb.Errorf("carrier %s is not known to have piece %d", p.foreign.name, piece)
			}
		}
		if p.presumed && p.has.Count() > 0 {
			tb.Errorf("%s has said nothing, and has %d pieces", p.id, p.has.Count())
		}
		var owed int64
		for _, r := range p.source.requests {
			asked[r.piece]++
			owed += int64(r.size - r.received)
			expected += int64(r.size)
			if r.received < 0 || r.received >= r.size {
				tb.Errorf("%s: %d of %d bytes of piece %d", p.id, r.received, r.size, r.piece)
			}
			if s.Held().Has(r.piece) {
				tb.Errorf("%s is asked for piece %d, which is here", p.id, r.piece)
			}
			if _, ok := s.verifying[r.piece]; ok {
				tb.Errorf("%s is asked for piece %d, which is being verified", p.id, r.piece)
			}
		}
		if owed != p.source.outstanding {
			tb.Errorf("%s: %d bytes outstanding, want %d", p.id, p.source.outstanding, owed)
		}
		if p.sink.slot {
			slots++
		}
		if p.sink.slot && !p.sink.busy {
			tb.Errorf("%s has a slot and is served nothing", p.id)
		}
		if u := p.sink.serving; p.sink.busy && (u.block <= 0 || u.sent > u.length) {
			tb.Errorf("%s: %+v", p.id, u)
		}
	}
	for _, p := range s.peers {
		if !p.class.cross || p.dry != 1+s.carrier.opened+s.pick.Freed() || s.carrier.stale {
			continue
		}
		if piece, ok := s.pick.PickOf(p.has, func(piece int) bool { return s.mayAsk(p, piece) }); ok {
			tb.Errorf("%s counts as having nothing for us, and has piece %d", p.id, piece)
		}
	}
	if !slices.Equal(near, s.carrier.near) {
		tb.Errorf("in our carrier are %v, want %v", s.carrier.near, near)
	}
	if len(s.byID) != len(s.peers) {
		tb.Errorf("%d peers by ID, %d in order", len(s.byID), len(s.peers))
	}
	if expected != s.expected {
		tb.Errorf("%d bytes expected, want %d", s.expected, expected)
	}
	if slots != s.slots || slots > uploadSlots {
		tb.Errorf("%d slots taken, want %d", s.slots, slots)
	}
	for piece, n := range holders {
		if got := s.pick.Holders(piece); got != n {
			tb.Errorf("piece %d has %d holders, want %d", piece, got, n)
		}
	}
	for piece := range s.claims.pieces {
		asked[piece]++
		if s.Held().Has(piece) {
			tb.Errorf("piece %d is claimed and here", piece)
		}
		if _, ok := s.verifying[piece]; ok {
			tb.Errorf("piece %d is claimed and being stored", piece)
		}
	}
	for piece, n := range asked {
		if n > 1 {
			tb.Errorf("piece %d is asked of %d peers, or claimed too", piece, n)
		}
	}
	b := s.bytes
	if min(b.Origin, b.Peers, b.Cross, b.Upstream, b.Wasted) < 0 || b.Cross > b.Origin+b.Peers {
		tb.Errorf("bytes %+v", b)
	}
	checkSettled(tb, s.pick, asked, s.verifying)
	if s.inject != nil {
		s.inject.check(tb, s.peers)
	}
}

// checkSettled: what may be picked is exactly what is neither here nor under way.
func checkSettled(tb testing.TB, p *picker.Picker, asked map[int]int, verifying map[int]class) {
	tb.Helper()
	for piece := range p.Held().Missing() {
		one := emptySet(p.Held().Len())
		one.Add(piece)
		_, free := p.Pick(one)
		_, checking := verifying[piece]
		underWay := asked[piece] > 0 || checking
		if free == underWay {
			tb.Errorf("piece %d: free %v, under way %v", piece, free, underWay)
		}
		_, urgent := p.PickUrgent(one.Has)
		if urgent != (free && p.Urgent(piece)) {
			tb.Errorf("piece %d: free %v, wanted %v, picked as urgent %v", piece, free, p.Urgent(piece), urgent)
		}
	}
}

func (j *injection) check(tb testing.TB, peers []*peer) {
	tb.Helper()
	nShown, connected := 0, make(map[*peer]bool)
	sole := make(map[*peer]int)
	for _, p := range peers {
		connected[p] = true
		nShown += len(p.given.shown)
		for _, x := range p.given.shown {
			if j.phase[x.piece] != shown || j.giver[x.piece] != p {
				tb.Errorf("piece %d was shown to %s: phase %d", x.piece, p.id, j.phase[x.piece])
			}
		}
	}
	if nShown != j.shown {
		tb.Errorf("%d pieces shown, want %d", j.shown, nShown)
	}
	waiting := make(map[int]bool)
	for _, piece := range j.hidden {
		waiting[piece] = true
	}
	for piece, p := range j.phase {
		giver := j.giver[piece]
		switch {
		case p == hidden && !waiting[piece]:
			tb.Errorf("piece %d is hidden and will never be shown", piece)
		case p == hidden && giver != nil, p == shown && giver == nil:
			tb.Errorf("piece %d: phase %d, giver %v", piece, p, giver)
		case p == out && giver != nil:
			sole[giver]++
		}
		if giver != nil && !connected[giver] {
			tb.Errorf("piece %d is left to a peer that is gone", piece)
		}
	}
	for _, p := range peers {
		if p.given.sole != sole[p] {
			tb.Errorf("%s alone has %d pieces, want %d", p.id, p.given.sole, sole[p])
		}
	}
}
