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

// conn is a connection to one peer of a swarm, after the handshake.
type conn struct {
	swarm  *Swarm
	stream *transport.Stream
	r      *bufio.Reader
	peer   shoal.NodeID
	hello  wire.Hello
	at     shoal.Locality // where our end was when it greeted
	in     *inbox
	out    *outbox
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	since  time.Time // when the event loop took it

	useless time.Time // the event loop's: since when nothing can move on it; zero: something can

	// The reader's.
	bitfields int   // messages that told all that the peer has
	haves     []int // pieces of HAVEs that were read and not passed on
}

// exchangeHellos sends our handshake from a place and reads the peer's. The reader's own
// handshake has been consumed already where the peer opened the stream.
func (s *Swarm) exchangeHellos(st *transport.Stream, r *bufio.Reader, at shoal.Locality) (wire.Hello, error) {
	_ = st.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	hello, err := wire.EncodeHello(wire.Hello{Name: s.hub.cfg.Name, Origin: s.origin, Locality: at})
	if err != nil {
		return wire.Hello{}, err
	}
	b := wire.AppendHandshake(nil, wire.Handshake{Content: s.manifest.ID().Truncated(), Peer: wire.PeerID(s.hub.host.ID())})
	b = wire.AppendExtended(b, wire.ExtHandshake, hello)
	if _, err := st.Write(b); err != nil {
		return wire.Hello{}, err
	}
	if st.Dialled() {
		hs, err := wire.ReadHandshake(r)
		if err != nil {
			return wire.Hello{}, err
		}
		if hs.Content != s.manifest.ID().Truncated() {
			return wire.Hello{}, fmt.Errorf("handshake: %w: another content", shoal.ErrCorrupt)
		}
	}
	m, err := wire.NewReader(r, s.limits()).Read()
	if err != nil {
		return wire.Hello{}, err
	}
	if m.Type != wire.Extended || m.Ext != wire.ExtHandshake {
		return wire.Hello{}, fmt.Errorf("handshake: %w: %v instead of the extended one", shoal.ErrCorrupt, m.Type)
	}
	return wire.DecodeHello(m.Body)
}

// greet completes the handshake on a stream and hands it to the event loop.
func (s *Swarm) greet(st *transport.Stream, r *bufio.Reader) {
	_ = st.SetReadDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(s.ctx, st.Close)
	at := s.hub.place.Load().at(st.LocalIP())
	hello, err := s.exchangeHellos(st, r, at)
	stop()
	if err != nil {
		s.log.Debug("handshake failed", "peer", st.Peer(), "err", err)
		st.Close()
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	context.AfterFunc(ctx, st.Close) // also where the loop ends before it sees the connection
	c := &conn{
		swarm: s, stream: st, r: r, peer: st.Peer(), hello: hello, at: at,
		in:  &inbox{pieces: make(map[int]*arriving), pool: s.pool},
		out: newOutbox(), ctx: ctx, cancel: cancel,
	}
	if !s.post(connUp{c}) {
		c.close()
	}
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
	err := c.readMessages()
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
