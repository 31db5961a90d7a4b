package sim

import (
	"math"
	"time"

	"github.com/shoal-cdn/shoal"
)

// kind is what an event is.
type kind uint8

const (
	// What concerns several nodes at once.
	joinNodes kind = iota // those of starts[piece] join
	leaveNode             // from leaves

	// What happens at one node, to. from is the peer it is about.
	connected
	closed // by the peer
	tick
	blockSent   // the block to the peer has left the uplink
	pieceStored // piece was verified
	pieceBad    // likewise, and was wrong
	flushHaves  // those that wait have waited long enough

	// Messages from one node to another.
	have // one or more
	bitfield
	request
	cancel
	reject
	queued
	block
)

// stage is where a message is.
type stage uint8

const (
	atDownlink stage = iota // at the receiver's downlink
	atLine                  // at the line between two carriers
	arrived
)

// event is something that is going to happen.
type event struct {
	at                   time.Duration // since the start
	kind                 kind
	stage                stage
	from, to             int32 // nodes
	piece, begin, length int32
	bytes                int32           // on the line; 0: it takes no capacity
	pieces               *[]int32        // of a have
	set                  *shoal.PieceSet // of a bitfield
}

// queue is events to come. Of two at the same time the one pushed earlier
// comes first.
//
// It is a heap with four children a node, which has half the levels of one with
// two, and holds only what orders the events.
type queue struct {
	heap   []key
	events []event // by slot
	free   []uint32
	pushed uint32
}

// never is later than everything.
const never = time.Duration(math.MaxInt64)

type key struct {
	at   time.Duration
	seq  uint32 // counts on from zero after its end; no two in the queue are half of that apart
	slot uint32
}

func (k key) before(o key) bool {
	return k.at < o.at || k.at == o.at && int32(k.seq-o.seq) < 0
}

func (q *queue) len() int { return len(q.heap) }

// next is when the first event is due; never if there is none.
func (q *queue) next() time.Duration {
	if len(q.heap) == 0 {
		return never
	}
	return q.heap[0].at
}

func (q *queue) push(e event) {
	q.pushed++
	k := key{e.at, q.pushed, uint32(len(q.events))}
	if n := len(q.free); n > 0 {
		k.slot = q.free[n-1]
		q.free = q.free[:n-1]
		q.events[k.slot] = e
	} else {
		q.events = append(q.events, e)
	}
	q.heap = append(q.heap, k)
	i := len(q.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !k.before(q.heap[parent]) {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = k
}

func (q *queue) pop() event {
	top := q.heap[0]
	n := len(q.heap) - 1
	last := q.heap[n]
	q.heap = q.heap[:n]
	for i := 0; n > 0; {
		least := 4*i + 1
		if least >= n {
			q.heap[i] = last
			break
		}
		for c := least + 1; c < min(4*i+5, n); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(last) {
			q.heap[i] = last
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.free = append(q.free, top.slot)
	return q.events[top.slot]
}
