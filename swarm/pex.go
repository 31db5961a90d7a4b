package swarm

import (
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
	c.swarm.post(peersFound{peers})
	return nil
}

// sendPEX tells the peers whose time has come about the others.
func (s *Swarm) sendPEX(now time.Time) {
	for _, c := range s.conns {
		if c.hello.PEX == 0 || now.Before(s.pexDue[c.peer]) {
			continue
		}
		s.pexDue[c.peer] = now.Add(pexInterval)
		var others []wire.PEXPeer
		for id := range s.conns {
			if k := s.roster.known[id]; id != c.peer && k != nil && len(k.Addrs) > 0 && len(others) < wire.MaxPEXPeers {
				others = append(others, wire.PEXPeer{ID: string(id), Addrs: k.Addrs})
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
