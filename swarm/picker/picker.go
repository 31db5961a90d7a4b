package picker

import (
	"math/rand/v2"

	"github.com/shoal-cdn/shoal"
)

// Picker keeps what is known of every piece of one content.
type Picker struct {
	rng *rand.Rand

	held    *shoal.PieceSet // verified here
	settled *shoal.PieceSet // held or requested: not to be picked
	holders []uint32        // connected peers that have the piece
	urgent  urgent
	freed   uint64 // pieces that were released so far
}

// New returns a Picker for a content of which the pieces in held are here.
// It keeps its own copy of held.
func New(held *shoal.PieceSet, rng *rand.Rand) *Picker {
	return &Picker{
		rng:     rng,
		held:    held.Clone(),
		settled: held.Clone(),
		holders: make([]uint32, held.Len()),
	}
}

// Held is the set of pieces that are here. The caller must not change it.
func (p *Picker) Held() *shoal.PieceSet { return p.held }

// Holders is how many connected peers have the piece.
func (p *Picker) Holders(piece int) int { return int(p.holders[piece]) }

// PeerGained counts one more holder of a piece.
func (p *Picker) PeerGained(piece int) { p.holders[piece]++ }

// PeerLost counts one holder less.
func (p *Picker) PeerLost(piece int) { p.holders[piece]-- }

// Requested notes that somebody has been asked for the piece.
func (p *Picker) Requested(piece int) {
	p.settled.Add(piece)
	p.urgent.settle(piece)
}

// Released notes that nobody is asked for the piece any more; a piece held
// here stays settled.
func (p *Picker) Released(piece int) {
	if !p.held.Has(piece) {
		p.settled.Remove(piece)
		p.freed++
		if p.Urgent(piece) {
			p.urgent.open.Add(piece)
		}
	}
}

// Freed counts the pieces that were released so far. As long as it stays, there is
// nothing to pick that was not there to pick before.
func (p *Picker) Freed() uint64 { return p.freed }

// Stored notes that the piece is here now.
func (p *Picker) Stored(piece int) {
	p.held.Add(piece)
	p.settled.Add(piece)
	p.urgent.settle(piece)
}

// Pick chooses the piece to request from a peer that has the given pieces:
// one with the fewest holders. ok is false where the peer has nothing that is
// still to be requested.
func (p *Picker) Pick(has *shoal.PieceSet) (piece int, ok bool) {
	return p.PickOf(has, func(int) bool { return true })
}

// PickOf is Pick among the pieces that may be requested there.
func (p *Picker) PickOf(has *shoal.PieceSet, may func(piece int) bool) (piece int, ok bool) {
	fewest, ties := ^uint32(0), 0
	for i := range has.AndNot(p.settled) {
		switch h := p.holders[i]; {
		case h > fewest || !may(i):
		case h < fewest:
			fewest, ties = h, 1
		default:
			ties++
		}
	}
	if ties == 0 {
		return 0, false
	}
	skip := p.rng.IntN(ties)
	for i := range has.AndNot(p.settled) {
		if p.holders[i] != fewest || !may(i) {
			continue
		}
		if skip == 0 {
			return i, true
		}
		skip--
	}
	panic("picker: candidates changed between two passes")
}
