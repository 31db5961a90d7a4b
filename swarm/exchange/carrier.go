package exchange

import (
	"math/bits"
	"time"

	"github.com/shoal-cdn/shoal"
)

// carrier sees to it that a piece comes into our carrier once (M7): exactly one
// of its members asks other carriers for it, and the others get it from that
// one. Each knows by itself which: the member that a hash of both ranks highest
// (rendezvous hashing). A member that brings in nothing for a while is passed
// over until it does.
//
// What readers wait for is exempt, and so is what an origin shows us: it shows
// a piece to one node of all; and what only mute peers have (mute.go).
type carrier struct {
	run    int             // pieces in a run, which one member asks for
	self   uint64          // our part of the hash among members
	name   uint64          // our carrier's among carriers
	near   []uint32        // peers in it that have the piece and are not mute, by piece
	share  *shoal.PieceSet // what is ours to ask other carriers for
	owners []*peer         // by run; nil: we
	stale  bool            // share and owners are to be computed anew
	opened uint64          // how often there may have come more to ask other carriers for
	looked time.Time       // when the members' headway was looked at
	pace   ewma            // seconds between two pieces that a member brings in
}

// member is what carrier knows of a peer in our carrier.
type member struct {
	key    uint64
	gained time.Time // when it last brought a piece in
	owing  time.Time // since when it could have brought in the next; zero: there is none to bring
	passed bool      // it is passed over
	mute   bool      // it owes us pieces and sends nothing
}

const (
	// mostRuns bounds into how many runs of neighbouring pieces a content is
	// divided among the members: dividing it costs a hash for each run and member.
	mostRuns = 4096
	// A member is passed over that brings in nothing for crossPatience, and for
	// crossPaces times as long as members take for a piece.
	crossPatience = 3 * time.Second
	crossPaces    = 6
	crossLook     = 250 * time.Millisecond
)

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

// divide computes who asks for what. It costs a hash for each run and member.
func (s *State) divide() {
	c := &s.carrier
	if !c.stale || len(s.foreign) == 0 {
		return
	}
	c.stale = false
	c.opened++
	c.share = shoal.NewPieceSet(len(c.near))
	for run := range c.owners {
		best := rank(c.self, run)
		c.owners[run] = nil
		for _, p := range s.peers {
			if !p.isMember() || p.member.passed {
				continue
			}
			if r := rank(p.member.key, run); r > best {
				best, c.owners[run] = r, p
			}
		}
		if c.owners[run] == nil {
			for piece := run * c.run; piece < min((run+1)*c.run, len(c.near)); piece++ {
				c.share.Add(piece)
			}
		}
	}
}

// watchMembers passes over the members that bring in nothing though they could.
func (s *State) watchMembers(now time.Time) {
	c := &s.carrier
	if len(s.foreign) == 0 || now.Sub(c.looked) < crossLook {
		return
	}
	c.looked = now
	s.findMute(now)
	s.divide()
	owing := make(map[*peer]bool)
	for piece := range s.Held().Missing() {
		if p := c.owners[piece/c.run]; p != nil && c.near[piece] == 0 && s.pick.Holders(piece) > 0 {
			owing[p] = true
		}
	}
	patience := max(crossPatience, time.Duration(crossPaces*c.pace.value*float64(time.Second)))
	for _, p := range s.peers {
		m := &p.member
		switch {
		case !owing[p]:
			m.owing = time.Time{}
		case m.owing.IsZero():
			m.owing = now
		case !m.passed && now.Sub(m.owing) > patience:
			m.passed, c.stale = true, true
		}
	}
	s.divide()
}
