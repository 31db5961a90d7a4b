package swarm

import (
	"errors"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// event is what reaches the event loop from the goroutines around it.
type event interface{ handle(s *Swarm) }

type (
	connUp   struct{ c *conn } // a handshake is complete, or not awaited (conn.presumed)
	connDown struct {          // a connection's reader has ended
		c   *conn
		err error
	}
	peerEvent struct { // what a peer said or was sent
		c  *conn
		ev exchange.Event
	}
	havesIn struct { // HAVEs that came together
		c      *conn
		pieces []int
	}
	blockIn struct { // a block was read, into a where that is not nil
		c     *conn
		a     *arriving
		block exchange.BlockReceived
	}
	peersFound struct{ peers []Peer } // by the caller
	peersNamed struct {               // by the peer of a connection, or nil: by something else
		c     *conn
		peers []Peer
	}
	dialDone    struct{ id shoal.NodeID }
	pieceStored struct{ piece int }
	pieceBad    struct {
		peer  shoal.NodeID
		piece int
	}
)

func (e connUp) handle(s *Swarm) {
	c, now := e.c, time.Now()
	old := s.conns[c.peer]
	if s.misplaced(c) || s.roster.bannedAt(c.peer, now) || old == nil && len(s.conns) >= maxInbound {
		c.close()
		return
	}
	if old != nil {
		if old.initiator() != c.initiator() && old.initiator() < c.initiator() {
			c.close()
			return
		}
		s.disconnect(old)
	}
	s.conns[c.peer] = c
	if !c.presumed {
		s.greeted(c)
	}
	s.apply(exchange.PeerJoined{Peer: c.peer, Origin: c.hello.Origin || c.presumed, Carrier: s.across(c), Presumed: c.presumed})
	s.wg.Go(c.read)
	s.wg.Go(c.write)
}

func (e connDown) handle(s *Swarm) {
	if s.conns[e.c.peer] != e.c {
		return
	}
	switch {
	case e.c.since.IsZero():
		s.log.Debug("handshake failed", "peer", e.c.peer, "err", e.err)
	case errors.Is(e.err, shoal.ErrCorrupt):
		s.log.Debug("peer broke the protocol", "peer", e.c.peer, "err", e.err)
		s.punish(e.c.peer, exchange.Protocol)
	}
	s.disconnect(e.c)
}

// disconnect takes a connection out of the swarm.
func (s *Swarm) disconnect(c *conn) {
	c.close()
	c.in.close()
	delete(s.conns, c.peer)
	delete(s.pexDue, c.peer)
	s.roster.left(c.peer, c.lasted())
	s.apply(exchange.PeerLeft{Peer: c.peer})
}

func (e peerEvent) handle(s *Swarm) {
	if s.conns[e.c.peer] != e.c {
		return
	}
	if r, ok := e.ev.(exchange.RejectReceived); ok {
		e.c.in.drop(r.Piece)
	}
	s.apply(e.ev)
	if _, ok := e.ev.(exchange.BitfieldReceived); ok { // now it is known whether it lacks any
		s.letGo(e.c)
	}
}

func (e havesIn) handle(s *Swarm) {
	for _, piece := range e.pieces {
		if s.conns[e.c.peer] != e.c {
			return
		}
		s.apply(exchange.HaveReceived{Peer: e.c.peer, Piece: piece})
	}
}

func (e blockIn) handle(s *Swarm) {
	// What came for a request that was taken back must not count for a later
	// one of the same piece.
	if s.conns[e.c.peer] == e.c && e.a != nil && e.c.in.wanted(e.a) {
		s.apply(e.block)
	} else {
		s.apply(exchange.BlockUnwanted{Length: e.block.Length})
	}
}

func (e peersFound) handle(s *Swarm) {
	now := time.Now()
	for _, p := range e.peers {
		s.roster.add(p, now)
	}
	s.dial(now)
}

func (e peersNamed) handle(s *Swarm) {
	now := time.Now()
	for _, p := range e.peers {
		s.roster.hint(p, now)
	}
	if e.c != nil && s.conns[e.c.peer] == e.c {
		e.c.told, e.c.others = true, len(e.peers)
		s.letGo(nil)
	}
	s.dial(now)
}

func (e dialDone) handle(s *Swarm) { s.roster.dialled(e.id, time.Now()) }

func (e pieceStored) handle(s *Swarm) {
	s.apply(exchange.PieceStored{Piece: e.piece})
	s.waits.stored(e.piece, s.state.Held())
}

func (e pieceBad) handle(s *Swarm) {
	s.apply(exchange.PieceCorrupt{Peer: e.peer, Piece: e.piece})
}
