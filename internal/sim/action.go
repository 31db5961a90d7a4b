package sim

import (
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// carryOut does what a node's state decided. hint is where to look for the
// peer first, as states go through their peers in the order they joined; the
// result is the hint for the next action.
func (s *Sim) carryOut(n *node, a exchange.Action, hint int) int {
	var c *conn
	switch a := a.(type) {
	case exchange.SendHave:
		if c, hint = n.conn(indexOf(a.Peer), hint); c == nil {
			break
		}
		if a.Shown {
			s.sendControl(n, c, event{kind: have, batch: s.batches.put(int32(a.Piece))}, haveBytes)
		} else {
			s.addHave(n, c, a.Piece)
		}
	case exchange.SendBitfield:
		if c, hint = n.conn(indexOf(a.Peer), hint); c != nil {
			s.sendControl(n, c, event{kind: bitfield, batch: s.sets.put(a.Set.Clone())}, bitfieldBytes+(s.pieces+7)/8)
		}
	case exchange.SendRequest:
		s.ask(n, event{kind: request, to: indexOf(a.Peer), piece: int32(a.Piece), length: int32(a.Length)}, requestBytes)
	case exchange.SendCancel:
		s.ask(n, event{kind: cancel, to: indexOf(a.Peer), piece: int32(a.Piece), length: int32(a.Length)}, requestBytes)
	case exchange.SendReject:
		s.ask(n, event{kind: reject, to: indexOf(a.Peer), piece: int32(a.Piece)}, requestBytes)
	case exchange.SendQueued:
		s.ask(n, event{kind: queued, to: indexOf(a.Peer)}, queuedBytes)
	case exchange.SendBlock:
		s.sendBlock(n, a)
	case exchange.Verify:
		from := indexOf(a.Peer)
		k := pieceStored
		if s.nodes[from].fault == Corrupt {
			k = pieceBad
		}
		n.queue.push(event{at: s.now, kind: k, from: from, to: n.index, piece: int32(a.Piece)})
	case exchange.DropPeer:
		n.faults = append(n.faults, exchange.ReportFault(a))
		s.hangUp(n, s.nodes[indexOf(a.Peer)])
	case exchange.ReportFault:
		n.faults = append(n.faults, a)
	case exchange.Completed:
		s.complete(n)
	default:
		s.fail("cannot carry out %T", a)
	}
	return hint
}

func (s *Sim) complete(n *node) {
	n.completed, n.done = true, s.now
	if n.fault == None {
		s.waiting--
	}
}

// ask sends a control message to the node that e names.
func (s *Sim) ask(n *node, e event, bytes int) {
	if c, _ := n.conn(e.to, 0); c != nil {
		s.sendControl(n, c, e, bytes)
	}
}
