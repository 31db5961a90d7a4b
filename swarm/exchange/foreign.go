package exchange

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// foreign is a carrier that peers are in, and we are not.
//
// Two carriers that lack the same pieces had better get different ones over
// their own lines, and swap them afterwards: so all their lines are full, and a
// piece takes as many ways as there are. So of the pieces that no carrier among
// those that lack them has yet, each prefers its own: those for which a hash
// ranks it highest. How much comes over which line shows by itself, as each source is
// asked as fast as it answers.
type foreign struct {
	name    string
	key     uint64          // its part of the hash
	has     *shoal.PieceSet // what any peer there has; too much while stale
	stale   bool
	peers   int
	members int // of them, those that are no origins
}

// crossFlows is about how many peers of another carrier all members together
// fetch from at a time: as many as fill a lossy line. More only make a queue.
const crossFlows = 8

// meet puts a peer that joins in its carrier.
func (s *State) meet(p *peer, carrier string) {
	s.carrier.stale = true
	p.member.key = hashKey(string(p.id))
	if carrier == "" {
		return
	}
	i := slices.IndexFunc(s.foreign, func(f *foreign) bool { return f.name == carrier })
	if i < 0 {
		i = len(s.foreign)
		s.foreign = append(s.foreign, &foreign{name: carrier, key: hashKey(carrier), has: shoal.NewPieceSet(s.Held().Len())})
	}
	p.foreign = s.foreign[i]
	p.foreign.peers++
	if !p.class.origin {
		p.foreign.members++
	}
}

// part takes a peer that has left out of its carrier.
func (s *State) part(p *peer) {
	s.carrier.stale = true
	f := p.foreign
	if f == nil {
		return
	}
	if !p.class.origin {
		f.members--
	}
	if f.peers--; f.peers == 0 {
		s.foreign = slices.DeleteFunc(s.foreign, func(g *foreign) bool { return g == f })
	}
}

// refresh brings what carriers have up to date.
func (s *State) refresh() {
	for _, f := range s.foreign {
		if !f.stale {
			continue
		}
		f.stale, f.has = false, shoal.NewPieceSet(s.Held().Len())
		for _, p := range s.peers {
			if p.foreign != f {
				continue
			}
			for piece := range p.has.All() {
				f.has.Add(piece)
			}
		}
	}
}

// preferred reports whether our carrier is the one, of those that lack a piece, to
// get it first.
func (s *State) preferred(piece int) bool {
	run := piece / s.carrier.run
	ours := rank(s.carrier.name, run)
	for _, f := range s.foreign {
		if f.members > 0 && !f.has.Has(piece) && rank(f.key, run) > ours {
			return false
		}
	}
	return true
}

// pickAcross finds the piece to ask a peer in another carrier for.
func (s *State) pickAcross(p *peer) (piece int, ok bool) {
	s.divide()
	s.refresh()
	state := 1 + s.carrier.opened + s.pick.Freed()
	if p.dry == state { // looking at every piece again is dear
		return 0, false
	}
	may := func(piece int) bool { return s.mayAsk(p, piece) }
	if piece, ok = s.pick.PickOf(p.has, func(piece int) bool { return may(piece) && s.preferred(piece) }); ok {
		return piece, true
	}
	if piece, ok = s.pick.PickOf(p.has, may); !ok {
		p.dry = state
	}
	return piece, ok
}

// mustKnow reports whether p is to be told at once that we have a piece: not over
// a line between carriers where it has the piece too, unless it is an origin, which
// shows others what has not spread. Once we have all pieces it is told that.
func (s *State) mustKnow(p *peer, piece int) bool {
	return !p.class.cross || p.class.origin || !p.has.Has(piece)
}

// crowded reports whether enough peers of p's carrier are asked already for p to
// be left in peace. Those that have shown nothing of late don't count, nor those that
// have only said for long that they will; nor does it hold for an origin that shows us
// pieces.
func (s *State) crowded(p *peer) bool {
	if !p.class.cross || len(p.source.requests) > 0 || p.class.origin && !p.has.Full() {
		return false
	}
	members, busy := 1, 0
	for _, q := range s.peers {
		switch {
		case q.foreign == p.foreign:
			src := &q.source
			if len(src.requests) > 0 && s.waking.elapsed-src.active < crossPatience && s.waking.elapsed-src.delivered < maxPatience {
				busy++
			}
		case q.isMember():
			members++
		}
	}
	return busy >= (crossFlows+members-1)/members
}

// requestIn gives the sources in a carrier the chance to be asked for more, as one of
// them has nothing to do any more.
func (s *State) requestIn(f *foreign, now time.Time) {
	for _, p := range s.peers {
		if p.foreign == f {
			s.request(p, now)
		}
	}
}
