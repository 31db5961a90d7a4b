package swarm

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// apply feeds an event to the state machine and carries out what it decides.
// None of the actions waits.
func (s *Swarm) apply(ev exchange.Event) {
	for _, a := range s.state.Handle(time.Now(), ev) {
		s.carryOut(a)
	}
}

func (s *Swarm) carryOut(a exchange.Action) {
	switch a := a.(type) {
	case exchange.SendHave:
		if a.Shown {
			s.send(a.Peer, func(b []byte) []byte { return wire.AppendHave(b, a.Piece) })
		} else if c := s.conns[a.Peer]; c != nil {
			c.out.putHave(a.Piece, s.state.HaveWait())
		}
	case exchange.SendBitfield:
		s.send(a.Peer, func(b []byte) []byte { return appendPieces(b, a.Set) })
	case exchange.SendRequest:
		if c := s.conns[a.Peer]; c != nil {
			c.in.expect(a.Piece, a.Length)
		}
		s.send(a.Peer, func(b []byte) []byte { return wire.AppendRange(b, wire.Request, a.Piece, 0, a.Length) })
	case exchange.SendCancel:
		if c := s.conns[a.Peer]; c != nil {
			c.in.drop(a.Piece)
		}
		s.send(a.Peer, func(b []byte) []byte { return wire.AppendRange(b, wire.Cancel, a.Piece, 0, a.Length) })
	case exchange.SendReject:
		s.send(a.Peer, func(b []byte) []byte { return wire.AppendRange(b, wire.Reject, a.Piece, a.Begin, a.Length) })
	case exchange.SendQueued:
		if c := s.conns[a.Peer]; c != nil && c.hello.Queued != 0 {
			s.send(a.Peer, func(b []byte) []byte { return wire.AppendExtended(b, c.hello.Queued, nil) })
		}
	case exchange.SendBlock:
		if c := s.conns[a.Peer]; c != nil {
			c.out.putBlock(a)
		}
	case exchange.Verify:
		s.verify(a.Peer, a.Piece, s.conns[a.Peer].in.take(a.Piece))
	case exchange.DropPeer:
		s.punish(a.Peer, a.Fault)
		if c := s.conns[a.Peer]; c != nil {
			c.close()
			c.in.close()
			delete(s.conns, a.Peer)
			delete(s.pexDue, a.Peer)
		}
	case exchange.ReportFault:
		s.fault(a.Peer, faultKinds[a.Fault])
	case exchange.Completed:
		s.finish()
	default:
		panic(fmt.Sprintf("swarm: action %T", a))
	}
}

// send queues a control message for a peer, and gives up on one that reads nothing.
func (s *Swarm) send(id shoal.NodeID, add func([]byte) []byte) {
	c := s.conns[id]
	if c != nil && !c.out.put(add) {
		s.log.Debug("peer does not read", "peer", id)
		c.close()
	}
}

// appendPieces adds the shortest message that tells a set.
func appendPieces(b []byte, set *shoal.PieceSet) []byte {
	switch {
	case set.Count() == 0:
		return wire.AppendSimple(b, wire.HaveNone)
	case set.Full():
		return wire.AppendSimple(b, wire.HaveAll)
	}
	return wire.AppendBitfield(b, set.Bitfield())
}

var faultKinds = map[exchange.Fault]FaultKind{
	exchange.Corrupt:  Corrupt,
	exchange.Stalled:  Stalled,
	exchange.Protocol: Protocol,
}

// punish names a peer for a fault and keeps it away for a while.
func (s *Swarm) punish(id shoal.NodeID, f exchange.Fault) {
	s.fault(id, faultKinds[f])
	pause := quarantine
	if f == exchange.Stalled {
		pause = stallPause
	}
	s.roster.ban(id, time.Now(), pause)
}

// verify checks a piece and stores it, in a goroutine that waits for its turn.
// The memory this may take is bounded by the state machine.
func (s *Swarm) verify(from shoal.NodeID, piece int, data []byte) {
	s.wg.Go(func() {
		select {
		case s.hub.verify <- struct{}{}:
		case <-s.ctx.Done():
			s.pool.put(data)
			return
		}
		good := s.manifest.VerifyPiece(piece, data)
		var err error
		if good {
			err = s.store.WritePiece(piece, data)
		}
		<-s.hub.verify
		s.pool.put(data)
		switch {
		case err != nil:
			s.cancel(fmt.Errorf("store piece %d: %w", piece, err))
		case good:
			s.post(pieceStored{piece})
		default:
			s.post(pieceBad{from, piece})
		}
	})
}
