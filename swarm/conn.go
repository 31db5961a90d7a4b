package swarm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

const (
	// readBuffer holds the messages of a burst; blocks are read past it.
	readBuffer = 16 << 10
	// idleTimeout is how long a peer may say nothing, keep-alives included, and
	// how long a write may take.
	idleTimeout = 90 * time.Second
	keepAlive   = 30 * time.Second
	// deadlineSlack is how stale a deadline may be: setting one costs a timer.
	deadlineSlack = 10 * time.Second
)

// conn is a connection to one peer of a swarm, after the handshake, or while the
// peer's is awaited (presume).
type conn struct {
	swarm    *Swarm
	stream   *transport.Stream
	r        *bufio.Reader
	peer     shoal.NodeID
	at       shoal.Locality // where our end was when it greeted
	presumed bool           // it entered the event loop before the peer had greeted us
	in       *inbox
	out      *outbox
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc

	// The event loop's.
	hello   wire.Hello // the peer's; zero while it is presumed and has not greeted us
	since   time.Time  // when the peer had greeted us and the loop knew; zero: it has not yet
	told    bool       // the peer has said whom else it is connected to
	others  int        // so many
	useless time.Time  // since when nothing can move on it; zero: something can

	// The reader's.
	bitfields int   // messages that told all that the peer has
	haves     []int // pieces of HAVEs that were read and not passed on
}

// close ends the connection. It may be called more than once, and does not
// wait: closing a stream does while its peer takes nothing off the network.
func (c *conn) close() { c.cancel() }

// initiator is the side that opened the connection.
func (c *conn) initiator() shoal.NodeID {
	if c.stream.Dialled() {
		return c.swarm.hub.host.ID()
	}
	return c.peer
}

// read passes on what the peer says until the connection ends.
func (c *conn) read() {
	var err error
	if c.presumed {
		var hello wire.Hello
		if hello, err = c.readHello(); err == nil {
			c.swarm.post(helloIn{c, hello})
		}
	}
	if err == nil {
		err = c.readMessages()
	}
	c.close()
	c.swarm.post(connDown{c, err})
}

func (c *conn) readMessages() error {
	r := wire.NewReader(c.r, c.swarm.limits())
	var deadline time.Time
	for {
		if now := time.Now(); deadline.Sub(now) < idleTimeout-deadlineSlack {
			deadline = now.Add(idleTimeout)
			_ = c.stream.SetReadDeadline(deadline)
		}
		m, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Type == wire.Have {
			c.haves = append(c.haves, m.Piece)
			if c.r.Buffered() >= wire.HaveLength {
				continue // most likely another one
			}
		}
		c.passHaves()
		if err := c.receive(r, m); err != nil {
			return err
		}
	}
}

// passHaves makes one event of the HAVEs that came together.
func (c *conn) passHaves() {
	if len(c.haves) > 0 {
		c.swarm.post(havesIn{c, c.haves})
		c.haves = nil
	}
}

// receive turns a message into an event. Messages that have no meaning among
// nodes that never choke are ignored.
func (c *conn) receive(r *wire.Reader, m wire.Message) error {
	switch m.Type {
	case wire.Bitfield, wire.HaveAll, wire.HaveNone:
		return c.receivePieces(m)
	case wire.Request:
		c.event(exchange.RequestReceived{Peer: c.peer, Piece: m.Piece, Begin: m.Begin, Length: m.Length})
	case wire.Cancel:
		c.event(exchange.CancelReceived{Peer: c.peer, Piece: m.Piece, Begin: m.Begin, Length: m.Length})
	case wire.Reject:
		c.event(exchange.RejectReceived{Peer: c.peer, Piece: m.Piece})
	case wire.Block:
		return c.receiveBlock(r, m)
	case wire.Extended:
		switch m.Ext {
		case wire.ExtPEX:
			return c.receivePEX(m.Body)
		case wire.ExtQueued:
			c.event(exchange.QueuedReceived{Peer: c.peer})
		}
	}
	return nil
}

// maxBitfields is how often a peer may tell all that it has: at the start, and
// as an origin that has given every piece. More would only cost us time.
const maxBitfields = 16

// receivePieces takes a message that tells all that the peer has.
func (c *conn) receivePieces(m wire.Message) error {
	if c.bitfields++; c.bitfields > maxBitfields {
		return fmt.Errorf("%v for the %dth time: %w", m.Type, c.bitfields, shoal.ErrCorrupt)
	}
	n := c.swarm.manifest.NumPieces()
	set := shoal.NewPieceSet(n)
	switch m.Type {
	case wire.HaveAll:
		set = shoal.FullPieceSet(n)
	case wire.Bitfield:
		var err error
		if set, err = shoal.PieceSetFromBitfield(n, m.Body); err != nil {
			return fmt.Errorf("%w: %w", shoal.ErrCorrupt, err)
		}
	}
	c.event(exchange.BitfieldReceived{Peer: c.peer, Set: set})
	return nil
}

func (c *conn) receiveBlock(r *wire.Reader, m wire.Message) error {
	if err := waitN(c.ctx, c.swarm.hub.down, m.Length); err != nil {
		return err
	}
	p, a := c.in.begin(m.Piece, m.Begin, m.Length)
	var err error
	if a != nil {
		err = r.ReadPayload(p)
		c.in.end(a)
	} else {
		err = r.Discard()
	}
	if err != nil {
		return err
	}
	c.swarm.hub.meter.down.Add(int64(m.Length))
	c.swarm.post(blockIn{c, a, exchange.BlockReceived{Peer: c.peer, Piece: m.Piece, Begin: m.Begin, Length: m.Length}})
	return nil
}

func (c *conn) event(ev exchange.Event) { c.swarm.post(peerEvent{c, ev}) }
