package sim

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// lane lets a few nodes go ahead, one after the other, while other lanes do so
// with theirs. It writes to these nodes and to itself only; what is for others
// waits in posted.
type lane struct {
	sim     *Sim
	now     time.Duration
	clock   time.Time  // the same, as states are told it
	posted  []event    // in the order they were made
	batches []*[]int32 // to be used again
	scratch scratch

	// What came of it, until the simulation counts it in.
	handled   int64 // events that states were told
	stored    int64 // pieces
	crossed   int64 // payload bytes sent between carriers
	completed int   // nodes that were waited for
	err       error // what ends the run
}

// scratch has room for the events that states are told most, which so need
// not be allocated. A state keeps no event.
type scratch struct {
	have     exchange.HaveReceived
	request  exchange.RequestReceived
	sent     exchange.BlockSent
	received exchange.BlockReceived
	stored   exchange.PieceStored
}

// advance lets everything happen at a node that is due before end.
func (l *lane) advance(n *node, end time.Duration) {
	for _, e := range n.inbox {
		n.queue.push(e)
	}
	n.inbox = n.inbox[:0]
	for n.queue.next() < end {
		e := n.queue.pop()
		l.now, l.clock = e.at, start.Add(e.at)
		l.happen(n, &e)
	}
	l.sim.next[n.index] = n.queue.next()
}

// post has an event happen elsewhere.
func (l *lane) post(e event) { l.posted = append(l.posted, e) }

func (l *lane) happen(n *node, e *event) {
	if n.gone {
		return
	}
	switch e.kind {
	case connected:
		l.connected(n, l.sim.nodes[e.from])
	case closed:
		l.closed(n, l.sim.nodes[e.from])
	case tick:
		l.tell(n, exchange.Tick{})
		n.queue.push(event{at: l.now + exchange.TickInterval, kind: tick, to: n.index})
	case blockSent:
		l.scratch.sent = exchange.BlockSent{Peer: l.sim.nodes[e.from].id}
		l.tell(n, &l.scratch.sent)
	case pieceStored:
		l.stored++
		l.scratch.stored = exchange.PieceStored{Piece: int(e.piece)}
		l.tell(n, &l.scratch.stored)
	case pieceBad:
		l.tell(n, exchange.PieceCorrupt{Peer: l.sim.nodes[e.from].id, Piece: int(e.piece)})
	case flushHaves:
		l.flushDue(n)
	default:
		l.arrive(n, e)
	}
}

// tell feeds an event to a node's state and carries out what it decides.
func (l *lane) tell(n *node, ev exchange.Event) {
	l.handled++
	hint := 0
	for _, a := range n.state.Handle(l.clock, ev) {
		hint = l.carryOut(n, a, hint)
	}
}

func (l *lane) connected(n, peer *node) {
	if n.gone || peer.gone {
		return
	}
	n.moveLast(peer.index)
	joined := exchange.PeerJoined{Peer: peer.id, Origin: peer.origin}
	if l.sim.paths.between(n, peer).cross {
		joined.Carrier = l.sim.carrier(peer)
	}
	l.tell(n, joined)
	there, back := l.sim.paths.between(n, peer), l.sim.paths.between(peer, n)
	l.tell(n, exchange.RoundTripMeasured{Peer: peer.id, Least: there.delay() + back.delay()})
}

// hangUp ends n's connection to a peer, if there is one. The peer learns of it
// after the delay.
func (l *lane) hangUp(n, peer *node) {
	if c, _ := n.conn(peer.index, 0); c == nil {
		return
	}
	n.disconnect(peer.index)
	l.post(event{at: l.now + l.sim.paths.between(n, peer).delay(), kind: closed, from: n.index, to: peer.index})
}

func (l *lane) closed(n, peer *node) {
	n.disconnect(peer.index)
	l.tell(n, exchange.PeerLeft{Peer: peer.id})
}

func (l *lane) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("simulate: "+format, args...)
	}
}
