package picker

import (
	"slices"

	"github.com/shoal-cdn/shoal"
)

// Bounds on what readers can make urgent.
const (
	// MaxReaders is how many readers at a time have urgent pieces; those who
	// come later wait for what they want like anybody else.
	MaxReaders = 256
	// MaxUrgent is how many pieces are urgent for one reader, from its first on.
	MaxUrgent = 256
)

// urgent is what readers wait for.
type urgent struct {
	spans []span          // in the order they came
	open  *shoal.PieceSet // pieces of spans that are not settled; nil before the first span
}

// span is the pieces from first to end-1 that a reader will want in this order.
type span struct {
	reader     uint64
	first, end int
}

func (s span) has(piece int) bool { return s.first <= piece && piece < s.end }

// Want makes count pieces from first on urgent for a reader, in place of what
// it wanted before. Where the first does not exist, nothing is.
func (p *Picker) Want(reader uint64, first, count int) {
	p.Unwant(reader)
	if first < 0 || first >= p.held.Len() || count <= 0 || len(p.urgent.spans) >= MaxReaders {
		return
	}
	end := first + min(count, MaxUrgent, p.held.Len()-first)
	if p.urgent.open == nil {
		p.urgent.open = shoal.NewPieceSet(p.held.Len())
	}
	p.urgent.spans = append(p.urgent.spans, span{reader, first, end})
	for piece := first; piece < end; piece++ {
		if !p.settled.Has(piece) {
			p.urgent.open.Add(piece)
		}
	}
}

// Unwant forgets what a reader wanted.
func (p *Picker) Unwant(reader uint64) {
	i := slices.IndexFunc(p.urgent.spans, func(s span) bool { return s.reader == reader })
	if i < 0 {
		return
	}
	gone := p.urgent.spans[i]
	p.urgent.spans = slices.Delete(p.urgent.spans, i, i+1)
	for piece := gone.first; piece < gone.end; piece++ {
		if p.urgent.open.Has(piece) && !p.Urgent(piece) {
			p.urgent.open.Remove(piece)
		}
	}
}

// Urgent reports whether a reader wants the piece.
func (p *Picker) Urgent(piece int) bool {
	return slices.ContainsFunc(p.urgent.spans, func(s span) bool { return s.has(piece) })
}

// AnyUrgent reports whether a reader wants anything.
func (p *Picker) AnyUrgent() bool { return len(p.urgent.spans) > 0 }

// settle notes that a piece is not to be picked any more.
func (u *urgent) settle(piece int) {
	if len(u.spans) > 0 && u.open.Has(piece) {
		u.open.Remove(piece)
	}
}

// PickUrgent chooses the urgent piece to request where has reports what can be
// had there: the one nearest to where its reader is, so that no reader waits
// for all that another will want.
func (p *Picker) PickUrgent(has func(piece int) bool) (piece int, ok bool) {
	if len(p.urgent.spans) == 0 || p.urgent.open.Count() == 0 {
		return 0, false
	}
	nearest := MaxUrgent
	for _, s := range p.urgent.spans {
		for i := s.first; i < min(s.end, s.first+nearest); i++ {
			if p.urgent.open.Has(i) && has(i) {
				piece, nearest, ok = i, i-s.first, true
				break
			}
		}
	}
	return piece, ok
}
