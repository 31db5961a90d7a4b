package sim

import (
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// carryOut does what a node's state decided. hint is where to look for the
// peer first, as states go through their peers in the order they joined; the
// result is the hint for the next action.
func (l *lane) carryOut(n *node, a exchange.Action, hint int) int {
	var c *conn
	switch a := a.(type) {
	case exchange.SendHave:
		if c, hint = n.conn(indexOf(a.Peer), hint); c == nil {
			break
		}
		if a.Shown {
			l.sendControl(n, c, event{kind: have, pieces: l.batch(int32(a.Piece))}, haveBytes)
		} else {
			l.addHave(n, c, a.Piece)
		}
	case exchange.SendBitfield:
		if c, hint = n.conn(indexOf(a.Peer), hint); c != nil {
			l.sendControl(n, c, event{kind: bitfield, set: a.Set.Clone()}, bitfieldBytes+(l.sim.pieces+7)/8)
		}
	case exchange.SendRequest:
		l.ask(n, event{kind: request, to: indexOf(a.Peer), piece: int32(a.Piece), length: int32(a.Length)}, requestBytes)
	case exchange.SendCancel:
		l.ask(n, event{kind: cancel, to: indexOf(a.Peer), piece: int32(a.Piece), length: int32(a.Length)}, requestBytes)
	case exchange.SendReject:
		l.ask(n, event{kind: reject, to: indexOf(a.Peer), piece: int32(a.Piece)}, requestBytes)
	case exchange.SendQueued:
		l.ask(n, event{kind: queued, to: indexOf(a.Peer)}, queuedBytes)
	case exchange.SendBlock:
		l.sendBlock(n, a)
	case exchange.Verify:
		from := indexOf(a.Peer)
		k := pieceStored
		if l.sim.nodes[from].fault == Corrupt {
			k = pieceBad
		}
		n.queue.push(event{at: l.now, kind: k, from: from, to: n.index, piece: int32(a.Piece)})
	case exchange.DropPeer:
		n.faults = append(n.faults, exchange.ReportFault(a))
		l.hangUp(n, l.sim.nodes[indexOf(a.Peer)])
	case exchange.ReportFault:
		n.faults = append(n.faults, a)
	case exchange.Completed:
		l.complete(n)
	default:
		l.fail("cannot carry out %T", a)
	}
	return hint
}

func (l *lane) complete(n *node) {
	n.completed, n.done = true, l.now
	if n.fault == None {
		l.completed++
	}
}

// ask sends a control message to the node that e names.
func (l *lane) ask(n *node, e event, bytes int) {
	if c, _ := n.conn(e.to, 0); c != nil {
		l.sendControl(n, c, e, bytes)
	}
}
