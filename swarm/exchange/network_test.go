package exchange

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// network runs states against each other in virtual time. An uplink and a
// downlink each carry one block after the other; messages only take the delay.
type network struct {
	tb     testing.TB
	now    time.Time
	queue  eventQueue
	seq    int
	events int
	nodes  map[shoal.NodeID]*simNode
	order  []*simNode
	pieces int
	length int // of a piece
	delay  time.Duration
	rng    *rand.Rand
}

type simNode struct {
	id        shoal.NodeID
	state     *State
	up, down  float64 // bytes a second
	upFree    time.Time
	downFree  time.Time
	completed time.Time
	faults    map[shoal.NodeID]Fault
	corrupt   bool // sends bad data
	mute      bool // never answers a request
	gone      bool
}

type timed struct {
	at  time.Time
	seq int
	run func()
}

type eventQueue []timed

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(timed)) }
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func newNetwork(tb testing.TB, pieces, length int, delay time.Duration, seed uint64) *network {
	return &network{
		tb: tb, now: time.Unix(0, 0), nodes: make(map[shoal.NodeID]*simNode),
		pieces: pieces, length: length, delay: delay, rng: rand.New(rand.NewPCG(seed, 1)),
	}
}

func (n *network) after(d time.Duration, f func()) {
	n.seq++
	heap.Push(&n.queue, timed{n.now.Add(d), n.seq, f})
}

// add makes a node and connects it to all others.
func (n *network) add(id string, full, origin bool, up, down float64) *simNode {
	held := shoal.NewPieceSet(n.pieces)
	if full {
		held = shoal.FullPieceSet(n.pieces)
	}
	node := &simNode{
		id: shoal.NodeID(id), up: up, down: down, faults: make(map[shoal.NodeID]Fault),
		upFree: n.now, downFree: n.now,
		state: New(Config{
			Held: held, PieceLength: n.length, PieceSize: func(int) int { return n.length },
			Origin: origin, Rand: rand.New(rand.NewPCG(n.rng.Uint64(), 0)),
		}),
	}
	for _, o := range n.order {
		if o.gone {
			continue
		}
		n.after(n.delay, func() {
			n.handle(node, PeerJoined{Peer: o.id, Origin: o.state.cfg.Origin})
			n.handle(o, PeerJoined{Peer: node.id, Origin: origin})
		})
	}
	n.nodes[node.id] = node
	n.order = append(n.order, node)
	var tick func()
	tick = func() {
		if !node.gone {
			n.handle(node, Tick{})
			n.after(TickInterval, tick)
		}
	}
	n.after(0, tick)
	return node
}

func (n *network) leave(node *simNode) {
	node.gone = true
	for _, o := range n.order {
		if o != node {
			n.handle(o, PeerLeft{Peer: node.id})
		}
	}
}

func (n *network) handle(node *simNode, ev Event) {
	if node.gone {
		return
	}
	for _, a := range append([]Action(nil), node.state.Handle(n.now, ev)...) {
		n.carryOut(node, a)
	}
	if n.events++; n.events%997 == 0 {
		checkInvariants(n.tb, node.state)
	}
}

// tell delivers an event to a peer after the delay.
func (n *network) tell(to shoal.NodeID, ev Event) {
	n.after(n.delay, func() { n.handle(n.nodes[to], ev) })
}

func (n *network) carryOut(node *simNode, a Action) {
	switch a := a.(type) {
	case SendHave:
		n.tell(a.Peer, HaveReceived{node.id, a.Piece})
	case SendBitfield:
		n.tell(a.Peer, BitfieldReceived{node.id, a.Set.Clone()})
	case SendRequest:
		if !n.nodes[a.Peer].mute {
			n.tell(a.Peer, RequestReceived{node.id, a.Piece, 0, a.Length})
		}
	case SendCancel:
		n.tell(a.Peer, CancelReceived{node.id, a.Piece, 0, a.Length})
	case SendQueued:
		n.tell(a.Peer, QueuedReceived{node.id})
	case SendReject:
		n.tell(a.Peer, RejectReceived{node.id, a.Piece})
	case SendBlock:
		n.transmit(node, n.nodes[a.Peer], a)
	case Verify:
		if n.nodes[a.Peer].corrupt {
			n.after(0, func() { n.handle(node, PieceCorrupt(a)) })
			return
		}
		n.after(0, func() { n.handle(node, PieceStored{a.Piece}) })
	case StorePiece:
		n.after(0, func() { n.handle(node, PieceStored(a)) })
	case DropPeer:
		node.faults[a.Peer] = a.Fault
		n.after(n.delay, func() { n.handle(n.nodes[a.Peer], PeerLeft{node.id}) })
	case ReportFault:
		node.faults[a.Peer] = a.Fault
	case Claimed: // what becomes of it is the test's
	case Completed:
		node.completed = n.now
	default:
		n.tb.Fatalf("action %T", a)
	}
}

func (n *network) transmit(from, to *simNode, b SendBlock) {
	size := float64(b.Length)
	sent := later(from.upFree, n.now).Add(seconds(size / from.up))
	from.upFree = sent
	n.after(sent.Sub(n.now), func() {
		// A full downlink holds its senders back, as flow control does.
		n.after(max(0, to.downFree.Sub(n.now)-bufferTime), func() { n.handle(from, BlockSent{to.id}) })
		n.after(n.delay, func() {
			to.downFree = later(to.downFree, n.now).Add(seconds(size / to.down))
			n.after(to.downFree.Sub(n.now), func() { n.handle(to, BlockReceived{from.id, b.Piece, b.Begin, b.Length}) })
		})
	})
}

// bufferTime is how much a path holds of what its downlink has not taken yet.
const bufferTime = 200 * time.Millisecond

// run goes on until every node that is to complete has, or time is up.
func (n *network) run(most time.Duration) {
	n.tb.Helper()
	end := n.now.Add(most)
	for len(n.queue) > 0 {
		if n.done() {
			return
		}
		if n.step(); n.now.After(end) {
			break
		}
	}
	for _, node := range n.order {
		if !node.gone && node.completed.IsZero() && !node.state.Held().Full() {
			n.tb.Errorf("%s has %d of %d pieces after %v", node.id, node.state.Held().Count(), n.pieces, most)
		}
	}
}

// step runs what is due next.
func (n *network) step() {
	x := heap.Pop(&n.queue).(timed)
	n.now = x.at
	x.run()
}

func (n *network) done() bool {
	for _, node := range n.order {
		if !node.gone && !node.state.Held().Full() {
			return false
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (n *network) elapsed() float64 { return n.now.Sub(time.Unix(0, 0)).Seconds() }

func nodeName(i int) string { return fmt.Sprintf("n%02d", i) }
