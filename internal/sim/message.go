package sim

import (
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// sendControl sends a control message of so many bytes. HAVEs that wait go with it.
func (s *Sim) sendControl(n *node, c *conn, e event, bytes int) {
	if s.topology.Overhead {
		e.bytes = int32(onLine(bytes))
	}
	e.from, e.to = n.index, c.peer
	s.depart(n, e)
	s.sendHaves(n, c, false)
}

// sendBlock sends a block behind the HAVEs that wait. It answers with
// BlockSent when the last byte has left the uplink: a writer waits until the
// kernel has sent it.
func (s *Sim) sendBlock(n *node, a exchange.SendBlock) {
	c, _ := n.conn(indexOf(a.Peer), 0)
	if c == nil {
		return
	}
	s.sendHaves(n, c, false)
	e := event{
		kind: block, from: n.index, to: c.peer,
		piece: int32(a.Piece), begin: int32(a.Begin), length: int32(a.Length), bytes: int32(dataOnLine(a.Length)),
	}
	if s.topology.Overhead {
		e.bytes = int32(onLine(blockBytes + a.Length))
	}
	if s.paths.between(n, s.nodes[e.to]).cross {
		s.crossed += int64(a.Length)
	}
	sent := s.depart(n, e)
	s.acknowledge(&n.down, int(e.bytes))
	n.queue.push(event{at: sent, kind: blockSent, from: e.to, to: n.index})
}

// depart puts a message on the uplink and returns when its last byte has left.
func (s *Sim) depart(n *node, e event) (sent time.Duration) {
	sent = s.now
	if e.bytes > 0 {
		sent = n.up.pass(s.now, int(e.bytes))
	}
	p := s.paths.between(n, s.nodes[e.to])
	e.at, e.stage = sent+p.before, atDownlink
	if p.line >= 0 {
		e.stage = atLine
		s.lines.push(e)
	} else {
		s.post(e)
	}
	return sent
}

// cross takes a message over the line between two carriers.
func (s *Sim) cross(e event) {
	p := s.paths.between(s.nodes[e.from], s.nodes[e.to])
	sent := e.at
	if e.bytes > 0 {
		sent = s.paths.lines[p.line].pass(e.at, int(e.bytes))
		if e.kind == block {
			back := s.paths.between(s.nodes[e.to], s.nodes[e.from])
			s.acknowledge(&s.paths.lines[back.line], int(e.bytes))
		}
	}
	e.at, e.stage = sent+p.after, atDownlink
	s.post(e)
}

// arrive takes a message through the downlink of the node it is for.
func (s *Sim) arrive(to *node, e *event) {
	if e.stage == arrived || e.bytes == 0 || s.slipsIn(to, e) {
		s.deliver(to, e)
		return
	}
	e.at, e.stage = to.down.pass(s.now, int(e.bytes)), arrived
	to.queue.push(*e)
}

// slipsIn lets a short message through a downlink that is idle without an event
// of its own. It is there some microseconds too early.
func (s *Sim) slipsIn(to *node, e *event) bool {
	if e.kind == block || e.kind == bitfield || !to.down.idle(s.now) {
		return false
	}
	to.down.pass(s.now, int(e.bytes))
	return true
}

// deliver tells a message to the state of the node that it has come to.
func (s *Sim) deliver(to *node, e *event) {
	from := s.nodes[e.from].id
	switch e.kind {
	case have:
		for _, p := range s.batches.at(e.batch) {
			s.scratch.have = exchange.HaveReceived{Peer: from, Piece: int(p)}
			s.tell(to, &s.scratch.have)
		}
		s.batches.release(e.batch)
	case bitfield:
		s.tell(to, exchange.BitfieldReceived{Peer: from, Set: s.sets.take(e.batch)})
	case request:
		if to.fault == Mute {
			return
		}
		s.scratch.request = exchange.RequestReceived{Peer: from, Piece: int(e.piece), Length: int(e.length)}
		s.tell(to, &s.scratch.request)
	case cancel:
		s.tell(to, exchange.CancelReceived{Peer: from, Piece: int(e.piece), Length: int(e.length)})
	case reject:
		s.tell(to, exchange.RejectReceived{Peer: from, Piece: int(e.piece)})
	case queued:
		s.tell(to, exchange.QueuedReceived{Peer: from})
	case block:
		s.acknowledge(&to.up, int(e.bytes))
		s.scratch.received = exchange.BlockReceived{Peer: from, Piece: int(e.piece), Begin: int(e.begin), Length: int(e.length)}
		s.tell(to, &s.scratch.received)
	}
}

// acknowledge lets TCP's acknowledgements of a block of so many bytes take
// theirs on a link of the way back. Nothing here waits for them; on the sender's
// downlink they come a round trip too early.
func (s *Sim) acknowledge(l *link, bytes int) {
	if s.topology.Overhead {
		l.pass(s.now, acksOnLine(bytes))
	}
}
