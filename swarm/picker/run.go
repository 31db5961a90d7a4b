package picker

import (
	"iter"
	"math"

	"github.com/shoal-cdn/shoal"
)

// PickUrgentRun chooses urgent pieces to fetch in one go, among those in
// allowed (nil: all): the piece that PickUrgent would, and the urgent ones that
// follow it. See PickRun for starts, most and the result.
func (p *Picker) PickUrgentRun(allowed, starts *shoal.PieceSet, most int) (first, count int) {
	may := func(piece int) bool { return allowed == nil || allowed.Has(piece) }
	first, ok := p.PickUrgent(may)
	if !ok {
		return 0, 0
	}
	for count = 1; count < most; count++ {
		if next := first + count; !p.urgent.open.Has(next) || !may(next) || starts.Has(next) {
			break
		}
	}
	return first, count
}

// PickRun chooses consecutive pieces to fetch in one go that nobody has been
// asked for, among those in allowed (nil: all), at most so many (≥ 1). A run
// does not reach over a piece in starts, where another file begins. count is 0
// where there is none.
//
// What is allowed has been picked for us by somebody: the first run of it, as
// long as it can be. Where all is, it is the longest run of the pieces with the
// fewest holders, one of the longest at random. A range of a single piece is
// hardly worth its request, so that run takes in pieces with up to twice the
// fewest holders. And runs break at multiples of most, so that two nodes with the
// same view want the same run or none of it.
func (p *Picker) PickRun(allowed, starts *shoal.PieceSet, most int) (first, count int) {
	if allowed != nil {
		return firstRun(allowed.AndNot(p.settled), starts, most)
	}
	free := p.settled.Missing()
	fewest := uint32(math.MaxUint32)
	for i := range free {
		fewest = min(fewest, p.holders[i])
	}
	start, n, ties := 0, 0, 0
	end := func() {
		switch {
		case n > count:
			first, count, ties = start, n, 1
		case n == count && n > 0:
			if ties++; p.rng.IntN(ties) == 0 {
				first = start
			}
		}
		n = 0
	}
	for i := range free {
		if p.holders[i] > 2*fewest {
			continue
		}
		if i != start+n || i%most == 0 || starts.Has(i) {
			end()
			start = i
		}
		n++
	}
	end()
	return first, count
}

// firstRun is the first run of ascending pieces.
func firstRun(free iter.Seq[int], starts *shoal.PieceSet, most int) (first, count int) {
	for i := range free {
		switch {
		case count == 0:
			first = i
		case i != first+count || count == most || starts.Has(i):
			return first, count
		}
		count++
	}
	return first, count
}
