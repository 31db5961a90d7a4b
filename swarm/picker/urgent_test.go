package picker

import (
	"math"
	"slices"
	"testing"
)

// drain requests urgent pieces until there are no more.
func drain(p *Picker, has func(int) bool) (order []int) {
	for {
		piece, ok := p.PickUrgent(has)
		if !ok {
			return order
		}
		p.Requested(piece)
		order = append(order, piece)
	}
}

func anything(int) bool { return true }

// A reader's pieces come in its order, and readers take turns: each is as far
// ahead of its position as the others.
func TestUrgentOrder(t *testing.T) {
	p := newPicker(set(20, 11), 1)
	gain(p, 1, 0, 0, 5) // rarity does not matter
	p.Want(1, 0, 4)
	p.Want(2, 10, 3)
	if got, want := drain(p, anything), []int{0, 10, 1, 2, 12, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestUrgentOfWhatAPeerHas(t *testing.T) {
	p := newPicker(set(10), 1)
	p.Want(1, 2, 5)
	if got, want := drain(p, set(10, 1, 4, 6, 8).Has), []int{4, 6}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What nobody is asked for any more is urgent again while a reader wants it,
// and only then.
func TestUrgentAgain(t *testing.T) {
	p := newPicker(set(10), 1)
	p.Want(1, 2, 3)
	p.Want(2, 3, 3)
	drain(p, anything)
	for i := range 10 {
		p.Released(i)
	}
	p.Unwant(1)
	p.Unwant(7) // never came
	p.Stored(4)
	p.Released(4) // a late cancel elsewhere
	if got, want := drain(p, anything), []int{3, 5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.Released(3)
	p.Want(2, 8, 1) // in place of what it wanted before
	if got, want := drain(p, anything), []int{8}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.Unwant(2)
	if p.AnyUrgent() || p.Urgent(8) {
		t.Error("something is urgent and nobody reads")
	}
}

func TestUrgentIsBounded(t *testing.T) {
	const pieces = 4 * MaxUrgent
	p := newPicker(set(pieces), 1)
	p.Want(0, 0, math.MaxInt)
	if got := len(drain(p, anything)); got != MaxUrgent {
		t.Errorf("%d pieces are urgent for one reader", got)
	}
	for i := range 2 * MaxReaders {
		p.Want(uint64(i), i, 1)
	}
	if n := len(p.urgent.spans); n != MaxReaders {
		t.Errorf("%d readers", n)
	}
	for _, w := range [][2]int{{-5, 3}, {3, 0}, {3, -1}, {pieces, 1}, {math.MaxInt, 2}, {math.MinInt, 1}} {
		q := newPicker(set(pieces), 1)
		q.Want(1, w[0], w[1])
		for _, piece := range drain(q, anything) {
			if piece < w[0] || piece >= w[0]+w[1] {
				t.Errorf("%v made piece %d urgent", w, piece)
			}
		}
	}
}
