package picker

import (
	"math/rand/v2"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func set(n int, pieces ...int) *shoal.PieceSet {
	s := shoal.NewPieceSet(n)
	for _, p := range pieces {
		s.Add(p)
	}
	return s
}

func newPicker(held *shoal.PieceSet, seed uint64) *Picker {
	return New(held, rand.New(rand.NewPCG(seed, 0)))
}

// gain makes piece i have holders[i] holders.
func gain(p *Picker, holders ...int) {
	for piece, n := range holders {
		for range n {
			p.PeerGained(piece)
		}
	}
}

func TestRarestFirst(t *testing.T) {
	p := newPicker(set(6, 0), 1)
	gain(p, 1, 5, 2, 4, 3, 1)
	all := shoal.FullPieceSet(6)
	for _, want := range []int{5, 2, 4, 3, 1} { // 0 is here already
		got, ok := p.Pick(all)
		if !ok || got != want {
			t.Fatalf("picked %d, %v, want %d", got, ok, want)
		}
		p.Requested(got)
	}
	if got, ok := p.Pick(all); ok {
		t.Errorf("picked %d when all are asked for", got)
	}
	p.Released(4)
	if got, ok := p.Pick(all); !ok || got != 4 {
		t.Errorf("picked %d, %v after 4 was released", got, ok)
	}
	if got, ok := p.Pick(set(6, 0, 1, 2)); ok {
		t.Errorf("picked %d, which the peer has not or is asked for", got)
	}
}

// Ties are spread, so that nodes of the same view want different pieces, and a
// seed gives the same choice again.
func TestTiesSpread(t *testing.T) {
	const pieces, rounds = 8, 4000
	var counts [pieces]int
	for seed := range uint64(rounds) {
		p := newPicker(set(pieces), seed)
		gain(p, 2, 1, 1, 2, 1, 1, 2, 2)
		got, ok := p.Pick(shoal.FullPieceSet(pieces))
		again := newPicker(set(pieces), seed)
		gain(again, 2, 1, 1, 2, 1, 1, 2, 2)
		if same, _ := again.Pick(shoal.FullPieceSet(pieces)); !ok || same != got {
			t.Fatalf("seed %d: %d, then %d", seed, got, same)
		}
		counts[got]++
	}
	for piece, n := range counts {
		rare := piece == 1 || piece == 2 || piece == 4 || piece == 5
		if rare && (n < rounds/4*8/10 || n > rounds/4*12/10) || !rare && n != 0 {
			t.Errorf("picked %v", counts)
			break
		}
	}
}

func TestHoldersAreCounted(t *testing.T) {
	p := newPicker(set(4), 1)
	a, b := set(4, 0, 1), set(4, 1, 2, 3)
	for _, s := range []*shoal.PieceSet{a, b} {
		for i := range s.All() {
			p.PeerGained(i)
		}
	}
	check := func(when string, want ...int) {
		t.Helper()
		for i, n := range want {
			if p.Holders(i) != n {
				t.Errorf("%s: piece %d has %d holders, want %d", when, i, p.Holders(i), n)
			}
		}
	}
	gone := func(has *shoal.PieceSet) {
		for i := range has.All() {
			p.PeerLost(i)
		}
	}
	check("both", 1, 2, 1, 1)
	b.Remove(2)
	p.PeerLost(2)
	check("one lost", 1, 2, 0, 1)
	gone(b)
	check("one gone", 1, 1, 0, 0)
	gone(a)
	check("none", 0, 0, 0, 0)
}

func TestHeldPiecesStaySettled(t *testing.T) {
	held := set(3, 0)
	p := newPicker(held, 1)
	held.Add(1) // the picker has its own copy
	all := shoal.FullPieceSet(3)
	p.Released(0)
	p.Requested(2)
	p.Stored(2)
	p.Released(2) // a late cancel elsewhere
	if got, ok := p.Pick(all); !ok || got != 1 {
		t.Errorf("picked %d, %v, want 1", got, ok)
	}
	p.Stored(1)
	if got, ok := p.Pick(all); ok {
		t.Errorf("picked %d when all are here", got)
	}
	if !p.Held().Full() {
		t.Errorf("%d held", p.Held().Count())
	}
	if got, ok := newPicker(set(0), 1).Pick(set(0)); ok {
		t.Errorf("picked %d of none", got)
	}
}

func BenchmarkPick(b *testing.B) {
	const pieces = 1 << 16
	p := newPicker(set(pieces), 1)
	all := shoal.FullPieceSet(pieces)
	for i := range pieces {
		for range i % 7 {
			p.PeerGained(i)
		}
	}
	for b.Loop() {
		p.Pick(all)
	}
}
