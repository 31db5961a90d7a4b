package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// What a tracker's handout holds besides near nodes (package tracker/registry):
// some origins, and of all others about one in eight from farther away.
const (
	handedOrigins = 4
	remoteShare   = 8
)

// joinAll lets nodes into the swarm that come at the same time.
func (s *Sim) joinAll(indexes []int32) {
	s.joins--
	s.moved = s.now
	indexes = slices.Clone(indexes)
	s.rng.Shuffle(len(indexes), func(i, j int) { indexes[i], indexes[j] = indexes[j], indexes[i] })
	for _, i := range indexes {
		s.begin(s.nodes[i])
	}
	for _, i := range indexes {
		if n := s.nodes[i]; n.origin {
			s.meetAsOrigin(n)
		} else {
			s.meetOrigins(n)
			s.meet(n, s.topology.Neighbours/2)
		}
	}
}

// begin gives a node its state.
func (s *Sim) begin(n *node) {
	held := shoal.NewPieceSet(s.pieces)
	if n.holder {
		held = shoal.FullPieceSet(s.pieces)
	}
	t := s.topology
	last := int(t.Size - int64(s.pieces-1)*int64(t.PieceLength))
	n.state = exchange.New(exchange.Config{
		Self: n.id, Carrier: s.carrier(n), Held: held, PieceLength: t.PieceLength,
		PieceSize: func(piece int) int {
			if piece == s.pieces-1 {
				return last
			}
			return t.PieceLength
		},
		Origin: n.origin, Rand: rand.New(rand.NewPCG(t.Seed, uint64(n.index)+1)),
	})
	phase := time.Duration(s.rng.Int64N(int64(exchange.TickInterval)))
	s.post(event{at: s.now + phase, kind: tick, to: n.index})
}

// carrier names the carrier that a node is in.
func (s *Sim) carrier(n *node) string { return s.carriers[n.group] }

// leave takes a node out of the swarm for good. Those that it leaves with few
// peers are handed others.
func (s *Sim) leave(n *node) {
	if n.gone {
		return
	}
	n.gone = true
	if !n.completed && !n.holder {
		s.wanted -= int64(s.pieces - n.state.Held().Count())
		if n.fault == None {
			s.waiting--
		}
	}
	for _, c := range slices.Clone(n.conns) {
		peer := s.nodes[c.peer]
		s.post(event{at: s.now + s.paths.between(n, peer).delay(), kind: closed, from: n.index, to: peer.index})
		if want := s.topology.Neighbours/2 - s.degree(peer); want > 0 && !peer.origin && !s.full {
			s.meet(peer, want)
		}
	}
}

// meetOrigins connects n to the origins it is handed, as far as they take more.
func (s *Sim) meetOrigins(n *node) {
	var origins []int32
	s.markMet(n)
	for _, o := range s.nodes[:s.origins] {
		if o.here() && s.canMeet(n, o) && (s.full || len(o.conns) < s.topology.OriginNeighbours) {
			origins = append(origins, o.index)
		}
	}
	s.rng.Shuffle(len(origins), func(i, j int) { origins[i], origins[j] = origins[j], origins[i] })
	if !s.full {
		origins = origins[:min(len(origins), handedOrigins)]
	}
	for _, i := range origins {
		s.connect(n, s.nodes[i])
	}
}

// meetAsOrigin connects an origin to nodes that are there already.
func (s *Sim) meetAsOrigin(o *node) {
	s.markMet(o)
	for _, i := range s.rng.Perm(len(s.nodes)) {
		n := s.nodes[i]
		if !s.full && len(o.conns) >= s.topology.OriginNeighbours {
			return
		}
		if n.here() && s.canMeet(o, n) {
			s.connect(o, n)
		}
	}
}

// meet connects n to so many more nodes: to the nearest, and to some farther
// away, so that no place is cut off. Of two that are equally near it takes the
// one with fewer peers, which makes the graph about regular.
func (s *Sim) meet(n *node, want int) {
	for near := range s.near {
		s.near[near] = s.near[near][:0]
	}
	s.markMet(n)
	for _, o := range s.nodes[s.origins:] {
		if o.here() && s.canMeet(n, o) {
			near := s.paths.between(n, o).near
			s.near[near] = append(s.near[near], o.index)
		}
	}
	if s.full {
		for _, list := range s.near {
			for _, i := range list {
				s.connect(n, s.nodes[i])
			}
		}
		return
	}
	nearest := 0
	for nearest < len(s.near)-1 && len(s.near[nearest]) == 0 {
		nearest++
	}
	for range max(1, want/remoteShare) {
		if near := nearest + 1; near < len(s.near) && s.meetOne(n, s.farther(near)) {
			want--
		}
	}
	for near := range s.near {
		for want > 0 && s.meetOne(n, near) {
			want--
		}
	}
}

// farther picks a ring from near on, each as likely as it has nodes.
func (s *Sim) farther(near int) int {
	total := 0
	for _, list := range s.near[near:] {
		total += len(list)
	}
	if total == 0 {
		return near
	}
	i := s.rng.IntN(total)
	for i >= len(s.near[near]) {
		i -= len(s.near[near])
		near++
	}
	return near
}

// meetOne connects n to a node of a ring, which must be of s.near.
func (s *Sim) meetOne(n *node, near int) bool {
	list := s.near[near]
	if len(list) == 0 {
		return false
	}
	i := s.rng.IntN(len(list))
	if j := s.rng.IntN(len(list)); len(s.nodes[list[j]].conns) < len(s.nodes[list[i]].conns) {
		i = j
	}
	o := s.nodes[list[i]]
	list[i] = list[len(list)-1]
	s.near[near] = list[:len(list)-1]
	s.connect(n, o)
	return true
}

// markMet prepares canMeet for a.
func (s *Sim) markMet(a *node) {
	s.mark++
	for _, i := range a.met {
		s.marks[i] = s.mark
	}
}

// canMeet reports whether there is a way between two nodes that were never
// connected. Origins have nothing to tell each other.
func (s *Sim) canMeet(a, b *node) bool {
	return a != b && !(a.origin && b.origin) && s.paths.between(a, b).joined && s.marks[b.index] != s.mark
}

// degree is how many peers a node has that have not left.
func (s *Sim) degree(n *node) (d int) {
	for _, c := range n.conns {
		if !s.nodes[c.peer].gone {
			d++
		}
	}
	return d
}

// connect begins to make a connection.
func (s *Sim) connect(a, b *node) {
	a.met, b.met = append(a.met, b.index), append(b.met, a.index)
	a.conns, b.conns = append(a.conns, conn{peer: b.index}), append(b.conns, conn{peer: a.index})
	at := s.now + handshakes*s.paths.between(a, b).delay()
	s.post(event{at: at, kind: connected, from: a.index, to: b.index})
	s.post(event{at: at, kind: connected, from: b.index, to: a.index})
}
