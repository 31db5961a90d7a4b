package sim

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// node is one machine.
type node struct {
	index  int32
	group  int32
	id     shoal.NodeID
	name   string
	origin bool
	holder bool // of everything from the start; an origin is one too
	fault  Fault

	queue queue   // what is going to happen here
	inbox []event // likewise, not in the queue yet

	state    *exchange.State // from the time it joins
	up, down link
	conns    []conn // in the order the state was told of them, those it was not behind
	met      []int32
	flushAt  time.Duration // when its next flushHaves is due; 0: none is

	join      time.Duration
	leave     time.Duration // 0: stays
	gone      bool
	completed bool
	done      time.Duration // when it was complete
	faults    []exchange.ReportFault
}

// conn is a node's end of a connection.
type conn struct {
	peer  int32
	haves []int32       // that wait to be sent
	due   time.Duration // when they must be; 0: none wait
}

// idOf and indexOf turn a node's index into its ID and back.
func idOf(index int32) shoal.NodeID {
	return shoal.NodeID(binary.BigEndian.AppendUint32(nil, uint32(index)))
}

func indexOf(id shoal.NodeID) int32 {
	return int32(id[0])<<24 | int32(id[1])<<16 | int32(id[2])<<8 | int32(id[3])
}

// conn returns n's end of its connection to a peer, nil if there is none. It
// looks at place hint first; next is the place behind what it found. The result
// is valid until a connection is made or ends.
func (n *node) conn(peer int32, hint int) (c *conn, next int) {
	if hint < len(n.conns) && n.conns[hint].peer == peer {
		return &n.conns[hint], hint + 1
	}
	for i := range n.conns {
		if n.conns[i].peer == peer {
			return &n.conns[i], i + 1
		}
	}
	return nil, hint
}

// moveLast puts a connection that the state is about to hear of where the
// state has it.
func (n *node) moveLast(peer int32) {
	i := slices.IndexFunc(n.conns, func(c conn) bool { return c.peer == peer })
	c := n.conns[i]
	n.conns = append(slices.Delete(n.conns, i, i+1), c)
}

func (n *node) disconnect(peer int32) {
	n.conns = slices.DeleteFunc(n.conns, func(c conn) bool { return c.peer == peer })
}

// here reports whether it has joined and not left.
func (n *node) here() bool { return n.state != nil && !n.gone }
