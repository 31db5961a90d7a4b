package swarm

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// handshakeTimeout bounds the time until both sides have said who they are.
const handshakeTimeout = 10 * time.Second

// hello is what this side says first on a connection that begins at a place.
func (s *Swarm) hello(at shoal.Locality) ([]byte, error) {
	hello, err := wire.EncodeHello(wire.Hello{Name: s.hub.cfg.Name, Origin: s.origin, Locality: at})
	if err != nil {
		return nil, err
	}
	b := wire.AppendHandshake(nil, wire.Handshake{Content: s.manifest.ID().Truncated(), Peer: wire.PeerID(s.hub.host.ID())})
	return wire.AppendExtended(b, wire.ExtHandshake, hello), nil
}

// readHello reads what the peer says first. Where it opened the stream its
// handshake has been consumed already.
func (c *conn) readHello() (wire.Hello, error) {
	_ = c.stream.SetReadDeadline(time.Now().Add(handshakeTimeout))
	if c.stream.Dialled() {
		hs, err := wire.ReadHandshake(c.r)
		if err != nil {
			return wire.Hello{}, err
		}
		if hs.Content != c.swarm.manifest.ID().Truncated() {
			return wire.Hello{}, fmt.Errorf("handshake: %w: another content", shoal.ErrCorrupt)
		}
	}
	m, err := wire.NewReader(c.r, c.swarm.limits()).Read()
	if err != nil {
		return wire.Hello{}, err
	}
	if m.Type != wire.Extended || m.Ext != wire.ExtHandshake {
		return wire.Hello{}, fmt.Errorf("handshake: %w: %v instead of the extended one", shoal.ErrCorrupt, m.Type)
	}
	return wire.DecodeHello(m.Body)
}

// newConn makes a connection of a stream, which is closed with it.
func (s *Swarm) newConn(st *transport.Stream, r *bufio.Reader) *conn {
	ctx, cancel := context.WithCancel(s.ctx)
	context.AfterFunc(ctx, st.Close) // also where the loop ends before it sees the connection
	return &conn{
		swarm: s, stream: st, r: r, peer: st.Peer(), at: s.hub.place.Load().at(st.LocalIP()),
		in:  &inbox{pieces: make(map[int]*arriving), pool: s.pool},
		out: newOutbox(), ctx: ctx, cancel: cancel,
	}
}

// greet completes the handshake on a stream and hands it to the event loop.
func (s *Swarm) greet(st *transport.Stream, r *bufio.Reader) {
	c := s.newConn(st, r)
	_ = st.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	hello, err := s.hello(c.at)
	if err == nil {
		_, err = st.Write(hello)
	}
	if err == nil {
		c.hello, err = c.readHello()
	}
	if err != nil {
		s.log.Debug("handshake failed", "peer", c.peer, "err", err)
		c.close()
		return
	}
	s.enter(c)
}

// presume hands a stream that this side opened to the event loop at once: its peer
// is said to have every piece, so that what a reader waits for can be asked of it
// right behind our handshake, a round trip sooner. The peer's is the first thing
// read.
func (s *Swarm) presume(st *transport.Stream, r *bufio.Reader) {
	c := s.newConn(st, r)
	c.presumed = true
	hello, err := s.hello(c.at)
	if err != nil {
		s.log.Debug("handshake failed", "peer", c.peer, "err", err)
		c.close()
		return
	}
	c.out.put(func(b []byte) []byte { return append(b, hello...) })
	s.enter(c)
}

// presumes reports whether to presume that a peer to be dialled is there and has
// everything. One that has disappointed us lately greets us first, and so does one in
// another carrier while there is such a peer in ours: a warm connection is there
// at once, but what it brings crosses.
func (s *Swarm) presumes(p Peer) bool {
	here := s.hub.Locality()
	good := func(k *contact) bool { return k != nil && k.Seed && k.failures == 0 }
	if s.finished || !good(s.roster.known[p.ID]) {
		return false
	}
	if here.CrossCarrier(p.Locality) {
		for _, k := range s.roster.known {
			if good(k) && !here.CrossCarrier(k.Locality) {
				return false
			}
		}
	}
	return true
}

func (s *Swarm) enter(c *conn) {
	if !s.post(connUp{c}) {
		c.close()
	}
}

// helloIn is the handshake of a peer that was presumed.
type helloIn struct {
	c     *conn
	hello wire.Hello
}

func (e helloIn) handle(s *Swarm) {
	c := e.c
	if s.conns[c.peer] != c {
		return
	}
	c.hello = e.hello
	if s.misplaced(c) {
		s.disconnect(c)
		return
	}
	s.greeted(c)
	s.apply(exchange.PeerGreeted{Peer: c.peer, Origin: c.hello.Origin, Carrier: s.across(c)})
}

// greeted takes note of what a peer has said of itself.
func (s *Swarm) greeted(c *conn) {
	c.since = time.Now()
	s.pexDue[c.peer] = c.since.Add(pexFirst)
	s.log.Debug("peer connected", "peer", c.peer, "name", c.hello.Name, "addr", c.stream.RemoteAddr())
	theirs := s.localityOf(c)
	s.roster.place(theirs.Carrier) // it may be known by its own word only
	s.hub.paths.watch(c.stream.Path(), c.at.Carrier, theirs.Carrier)
}

// lasted is for how long a connection has been of use; 0 while its peer has not
// greeted us.
func (c *conn) lasted() time.Duration {
	if c.since.IsZero() {
		return 0
	}
	return time.Since(c.since)
}
