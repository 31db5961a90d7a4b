package sim

import (
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// sendControl sends a control message of so many bytes. HAVEs that wait go with it.
func (l *lane) sendControl(n *node, c *conn, e event, bytes int) {
	if l.sim.topology.Overhead {
		e.bytes = int32(onLine(bytes))
	}
	e.from, e.to = n.index, c.peer
	l.depart(n, e)
	l.sendHaves(n, c, false)
}

// sendBlock sends a block behind the HAVEs that wait. It answers with
// BlockSent when the last byte has left the uplink: a writer waits until the
// kernel has sent it.
func (l *lane) sendBlock(n *node, a exchange.SendBlock) {
	c, _ := n.conn(indexOf(a.Peer), 0)
	if c == nil {
		return
	}
	l.sendHaves(n, c, false)
	e := event{
		kind: block, from: n.index, to: c.peer,
		piece: int32(a.Piece), begin: int32(a.Begin), length: int32(a.Length), bytes: int32(dataOnLine(a.Length)),
	}
	if l.sim.topology.Overhead {
		e.bytes = int32(onLine(blockBytes + a.Length))
	}
	if l.sim.paths.between(n, l.sim.nodes[e.to]).cross {
		l.crossed += int64(a.Length)
	}
	sent := l.depart(n, e)
	l.sim.acknowledge(&n.down, l.now, e.bytes)
	n.queue.push(event{at: sent, kind: blockSent, from: e.to, to: n.index})
}

// depart puts a message on the uplink and returns when its last byte has left.
func (l *lane) depart(n *node, e event) (sent time.Duration) {
	sent = l.now
	if e.bytes > 0 {
		sent = n.up.pass(l.now, int(e.bytes))
	}
	p := l.sim.paths.between(n, l.sim.nodes[e.to])
	e.at, e.stage = sent+p.before, atDownlink
	if p.line >= 0 {
		e.stage = atLine
	}
	l.post(e)
	return sent
}

// arrive takes a message through the downlink of the node it is for.
func (l *lane) arrive(to *node, e *event) {
	if e.stage == arrived || e.bytes == 0 || l.slipsIn(to, e) {
		l.deliver(to, e)
		return
	}
	e.at, e.stage = to.down.pass(l.now, int(e.bytes)), arrived
	to.queue.push(*e)
}

// slipsIn lets a short message through a downlink that is idle without an event
// of its own. It is there some microseconds too early.
func (l *lane) slipsIn(to *node, e *event) bool {
	if e.kind == block || e.kind == bitfield || !to.down.idle(l.now) {
		return false
	}
	to.down.pass(l.now, int(e.bytes))
	return true
}

// deliver tells a message to the state of the node that it has come to.
func (l *lane) deliver(to *node, e *event) {
	from := l.sim.nodes[e.from].id
	switch e.kind {
	case have:
		for _, p := range *e.pieces {
			l.scratch.have = exchange.HaveReceived{Peer: from, Piece: int(p)}
			l.tell(to, &l.scratch.have)
		}
		l.batches = append(l.batches, e.pieces)
	case bitfield:
		l.tell(to, exchange.BitfieldReceived{Peer: from, Set: e.set})
	case request:
		if to.fault == Mute {
			return
		}
		l.scratch.request = exchange.RequestReceived{Peer: from, Piece: int(e.piece), Length: int(e.length)}
		l.tell(to, &l.scratch.request)
	case cancel:
		l.tell(to, exchange.CancelReceived{Peer: from, Piece: int(e.piece), Length: int(e.length)})
	case reject:
		l.tell(to, exchange.RejectReceived{Peer: from, Piece: int(e.piece)})
	case queued:
		l.tell(to, exchange.QueuedReceived{Peer: from})
	case block:
		l.sim.acknowledge(&to.up, l.now, e.bytes)
		l.scratch.received = exchange.BlockReceived{Peer: from, Piece: int(e.piece), Begin: int(e.begin), Length: int(e.length)}
		l.tell(to, &l.scratch.received)
	}
}
