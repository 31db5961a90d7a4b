package exchange

import (
	"math/bits"
	"time"

	"github.com/shoal-cdn/shoal"
)

// carrier sees to it that a piece comes into our carrier once (M7): exactly one
// of its members asks other carriers for it, and the others get it from that
// one. Each knows by itself which: the member that a hash of both ranks highest
// (rendezvous hashing). For one that brings in nothing, or far less than we do,
// the next in rank asks (headway.go).
//
// What readers wait for is exempt, and so is what an origin shows us: it shows
// a piece to one node of all; and what only mute peers have (mute.go).
type carrier struct {
	run    int             // pieces in a run, which one member asks for
	self   uint64          // our part of the hash among members
	name   uint64          // our carrier's among carriers
	near   []uint32        // peers in it that have the piece and are not mute, by piece
	share  *shoal.PieceSet // what is ours to ask other carriers for
	owners []*peer         // by run, who ranks highest; nil: we
	stale  bool            // share and owners are to be computed anew
	opened uint64          // how often there may have come more to ask other carriers for
	headway
}

// member is what carrier knows of a peer in our carrier.
type member struct {
	key    uint64
	gained time.Time // when it last brought a piece in
	owing  time.Time // since when it could have brought in the next; zero: there is none to bring
	passed bool      // it brings in nothing
	slow   bool      // it brings in far less than we do
	mute   bool      // it owes us pieces and sends nothing
	tally
}

// mostRuns bounds into how many runs of neighbouring pieces a content is
// divided among the members: dividing it costs a hash for each run and member.
const mostRuns = 4096

func newCarrier(cfg Config) carrier {
	pieces := cfg.Held.Len()
	run := max(1, (pieces+mostRuns-1)/mostRuns)
	return carrier{
		run: run, self: hashKey(string(cfg.Self)), name: hashKey(cfg.Carrier), near: make([]uint32, pieces), share: shoal.NewPieceSet(pieces),
		owners: make([]*peer, (pieces+run-1)/run), stale: true,
	}
}

// hashKey is a node's or a carrier's part of the hash, the same on every node (FNV-1a).
func hashKey(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// rank is a member's for a run.
func rank(key uint64, run int) uint64 {
	hi, lo := bits.Mul64(key^0x9e3779b97f4a7c15, uint64(run)*0xd6e8feb86659fd93+0xe7037ed1a0b428db)
	hi, lo = bits.Mul64(hi^lo, key|1)
	return hi ^ lo
}

func (e Placed) apply(s *State, _ time.Time) { s.carrier.name = hashKey(e.Carrier) }

// isMember reports whether p fetches pieces for our carrier, as we do.
func (p *peer) isMember() bool { return !p.class.cross && !p.class.origin && !p.has.Full() }

// gained notes that p has a piece that it had not.
func (s *State) gained(p *peer, piece int) {
	s.pick.PeerGained(piece)
	p.dry = 0
	if p.class.cross {
		p.foreign.has.Add(piece)
		return
	}
	if !p.member.mute {
		s.carrier.near[piece]++
	}
}

// broughtIn notes that p has just told of a piece: where nobody else in our
// carrier has it, p got it from another one.
func (s *State) broughtIn(p *peer, piece int, now time.Time) {
	c := &s.carrier
	if p.class.cross || len(s.foreign) == 0 || c.near[piece] > 1 || s.Held().Has(piece) {
		return
	}
	m := &p.member
	if !m.gained.IsZero() {
		c.pace.add(now.Sub(m.gained).Seconds(), 0.1)
	}
	m.gained, m.owing = now, time.Time{}
	m.brought++
	if m.passed {
		m.passed, c.stale = false, true
	}
}

// lost notes that p has a piece no more, or that it does not count.
func (s *State) lost(p *peer, piece int) {
	s.pick.PeerLost(piece)
	s.carrier.opened++
	if p.class.cross {
		p.foreign.stale = true
		return
	}
	if !p.member.mute {
		s.carrier.near[piece]--
	}
}

// forgetPieces notes that p's pieces don't count any more.
func (s *State) forgetPieces(p *peer) {
	for piece := range p.has.All() {
		s.lost(p, piece)
	}
}

// mayAsk reports whether p may be asked for a piece: one in another carrier,
// if it is our turn and nobody nearer has it.
func (s *State) mayAsk(p *peer, piece int) bool {
	if !p.class.cross {
		return true
	}
	if s.carrier.near[piece] > 0 {
		return false
	}
	return s.carrier.share.Has(piece) || p.class.origin && !p.has.Full()
}

// divide computes who asks for what: who ranks highest, and in place of one that is
// slow, who does of the others. It costs a hash for each run and member.
func (s *State) divide() {
	c := &s.carrier
	if !c.stale || len(s.foreign) == 0 {
		return
	}
	c.stale = false
	c.opened++
	c.share = shoal.NewPieceSet(len(c.near))
	for run := range c.owners {
		ours := rank(c.self, run)
		best, asked := ours, false // by another
		c.owners[run] = nil
		for _, p := range s.peers {
			if !p.isMember() || p.member.passed {
				continue
			}
			r := rank(p.member.key, run)
			asked = asked || r > ours && !p.member.slow
			if r > best {
				best, c.owners[run] = r, p
			}
		}
		if !asked {
			for piece := run * c.run; piece < min((run+1)*c.run, len(c.near)); piece++ {
				c.share.Add(piece)
			}
		}
	}
}
