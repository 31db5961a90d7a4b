package swarm

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// Peer exchange: each side tells the other whom it is connected to, with the
// addresses it knows, so that a swarm grows and heals without a tracker (B4).
const (
	pexFirst    = 2 * time.Second // after a connection is made
	pexInterval = 30 * time.Second
)

func (c *conn) receivePEX(body []byte) error {
	named, err := wire.DecodePEX(body)
	if err != nil {
		return err
	}
	peers := make([]Peer, 0, len(named))
	for _, p := range named {
		peers = append(peers, Peer{ID: shoal.NodeID(p.ID), Addrs: p.Addrs})
	}
	c.swarm.post(peersNamed{c, peers})
	return nil
}

// sendPEX tells the peers whose time has come about the others.
func (s *Swarm) sendPEX(now time.Time) {
	known := make(map[shoal.NodeID][]string) // looked up once, for all
	addrsOf := func(id shoal.NodeID) []string {
		if _, done := known[id]; !done {
			known[id] = s.addrsOf(id)
		}
		return known[id]
	}
	for _, c := range s.conns {
		if c.since.IsZero() || now.Before(s.pexDue[c.peer]) {
			continue
		}
		s.pexDue[c.peer] = now.Add(pexInterval)
		if met := s.hub.cfg.Met; met != nil {
			met(Peer{ID: c.peer, Name: c.hello.Name, Addrs: addrsOf(c.peer), Locality: c.hello.Locality})
		}
		if c.hello.PEX == 0 {
			continue
		}
		var others []wire.PEXPeer
		for id, other := range s.conns {
			if addrs := addrsOf(id); id != c.peer && !other.since.IsZero() && len(addrs) > 0 && len(others) < wire.MaxPEXPeers {
				others = append(others, wire.PEXPeer{ID: string(id), Addrs: addrs})
			}
		}
		if len(others) == 0 {
			continue
		}
		body, err := wire.EncodePEX(others)
		if err != nil {
			s.log.Error("encode peer exchange", "err", err)
			return
		}
		c.out.put(func(b []byte) []byte { return wire.AppendExtended(b, c.hello.PEX, body) })
	}
}

// addrsOf is where a connected peer can be dialled: first what it says itself,
// which is right also where it came to us after a restart on another port, then
// what we were told, such as addresses inside a network that is not ours.
func (s *Swarm) addrsOf(id shoal.NodeID) []string {
	addrs := s.hub.host.PeerAddrs(id)
	if k := s.roster.known[id]; k != nil {
		for _, a := range k.Addrs {
			if !slices.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs[:min(len(addrs), maxPeerAddrs)]
}
