package swarm

import (
	"bufio"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// within polls until ok, for what happens soon but is not announced.
func within(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// inLoop runs a function in the event loop, where it may look at everything.
type inLoop func(*Swarm)

func (f inLoop) handle(s *Swarm) { f(s) }

func look[T any](tb testing.TB, s *Swarm, f func(*Swarm) T) T {
	tb.Helper()
	out := make(chan T, 1)
	s.post(inLoop(func(s *Swarm) { out <- f(s) }))
	select {
	case v := <-out:
		return v
	case <-time.After(time.Minute):
		tb.Fatal("the event loop hangs")
		panic("unreachable")
	}
}

// hasFault reports whether a swarm names a peer for one kind of fault.
func hasFault(s *Swarm, id shoal.NodeID, kind FaultKind) bool {
	for _, f := range s.Stats().Faults {
		if f.Peer == id && f.Kind == kind {
			return true
		}
	}
	return false
}

// raw is a peer that says what a test wants it to.
type raw struct {
	*transport.Host
	man  *shoal.Manifest
	data []byte
}

func newRaw(tb testing.TB, man *shoal.Manifest, data []byte) raw {
	tb.Helper()
	return raw{newTestHost(tb), man, data}
}

func (p raw) peer() Peer { return Peer{ID: p.ID(), Addrs: p.Addrs()} }

// rawConn is its end of a connection after the handshake.
type rawConn struct {
	*transport.Stream
	r *wire.Reader
}

// open dials a member without a word.
func (p raw) open(tb testing.TB, to Peer) *transport.Stream {
	tb.Helper()
	st, err := p.Host.Open(tb.Context(), to.ID, to.Addrs, wire.Protocol)
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

// dial connects to a member and greets it.
func (p raw) dial(tb testing.TB, to Peer) rawConn {
	tb.Helper()
	c, err := p.greet(p.open(tb, to))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// greet does the handshake on a stream.
func (p raw) greet(st *transport.Stream) (rawConn, error) {
	hello, err := wire.EncodeHello(wire.Hello{Name: "raw"})
	if err != nil {
		return rawConn{}, err
	}
	b := wire.AppendHandshake(nil, wire.Handshake{Content: p.man.ID().Truncated(), Peer: wire.PeerID(p.ID())})
	if _, err := st.Write(wire.AppendExtended(b, wire.ExtHandshake, hello)); err != nil {
		return rawConn{}, err
	}
	br := bufio.NewReader(st)
	if _, err := wire.ReadHandshake(br); err != nil {
		return rawConn{}, err
	}
	r := wire.NewReader(br, wire.Limits{Pieces: p.man.NumPieces(), PieceLength: p.man.PieceLength()})
	if m, err := r.Read(); err != nil || m.Type != wire.Extended {
		return rawConn{}, errors.Join(err, errors.New("no extended handshake"))
	}
	return rawConn{st, r}, nil
}

// serve accepts connections and runs f on each after the handshake.
func (p raw) serve(f func(rawConn)) {
	p.Handle(wire.Protocol, func(st *transport.Stream) {
		defer st.Close()
		if c, err := p.greet(st); err == nil {
			f(c)
		}
	})
}

func (c rawConn) send(b []byte) bool {
	_, err := c.Write(b)
	return err == nil
}

// requests calls f with every request until the connection ends.
func (c rawConn) requests(f func(m wire.Message) bool) {
	for {
		m, err := c.r.Read()
		if err != nil {
			return
		}
		if m.Type == wire.Block && c.r.Discard() != nil {
			return
		}
		if m.Type == wire.Request && !f(m) {
			return
		}
	}
}

// closed waits until the other side has ended the connection.
func (c rawConn) closed(tb testing.TB) {
	tb.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		m, err := c.r.Read()
		if err == nil && m.Type == wire.Block {
			err = c.r.Discard()
		}
		if timeout := (interface{ Timeout() bool })(nil); errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
			tb.Fatal("the connection is not closed")
		}
		if err != nil {
			return
		}
	}
}

// block is a message with a good block.
func (p raw) block(b []byte, piece, begin, length int) []byte {
	_, off := p.man.Locate(piece)
	b = wire.AppendBlockHeader(b, piece, begin, length)
	return append(b, p.data[off+int64(begin):][:length]...)
}

// A peer that has everything, accepts requests and never answers is named,
// and the content comes from another.
func TestSwarmNamesSilentPeer(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	mute := newRaw(t, man, data)
	mute.serve(func(c rawConn) {
		c.send(wire.AppendSimple(nil, wire.HaveAll))
		c.requests(func(wire.Message) bool { return true })
	})
	st := newMemory(man)
	s := newMember(t, "leecher", Config{}).join(t, man, st, false, mute.peer())
	within(t, time.Minute, "the silent peer is named", func() bool { return hasFault(s, mute.ID(), Stalled) })
	good := newMember(t, "good", Config{})
	good.join(t, man, seeded(man, data), false)
	s.AddPeers([]Peer{good.peer})
	waitComplete(t, s)
	st.check(t, data)
}

// A peer that sends a bad piece and leaves before it is verified is named and
// kept away all the same.
func TestSwarmNamesCorruptPeerThatLeaves(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	evil := newRaw(t, man, data)
	evil.serve(func(c rawConn) {
		c.send(wire.AppendSimple(nil, wire.HaveAll))
		c.requests(func(m wire.Message) bool {
			b := wire.AppendBlockHeader(nil, m.Piece, 0, m.Length)
			b = append(b, make([]byte, m.Length)...)
			c.send(wire.AppendRange(b, wire.Request, m.Piece, 0, 1))
			for { // the answer says that the piece has arrived
				if m, err := c.r.Read(); err != nil || m.Type == wire.Reject {
					return false
				}
			}
		})
	})
	s := newMember(t, "leecher", Config{}).join(t, man, newMemory(man), false, evil.peer())
	within(t, time.Minute, "the corrupt peer is named", func() bool { return hasFault(s, evil.ID(), Corrupt) })
	if !look(t, s, func(s *Swarm) bool { return s.roster.bannedAt(evil.ID(), time.Now().Add(quarantine/2)) }) {
		t.Error("not quarantined")
	}
}

// What was verified can't be changed by sending it again: the store gets what
// matched the hash.
func TestSwarmStoresWhatItVerified(t *testing.T) {
	t.Parallel()
	man, data := content(t, 2<<20)
	evil := newRaw(t, man, data)
	evil.serve(func(c rawConn) {
		c.send(wire.AppendSimple(nil, wire.HaveAll))
		c.requests(func(m wire.Message) bool {
			b := evil.block(nil, m.Piece, 0, m.Length)
			for range 8 {
				b = wire.AppendBlockHeader(b, m.Piece, m.Length/2, 8)
				b = append(b, "\xee\xee\xee\xee\xee\xee\xee\xee"...)
			}
			return c.send(b)
		})
	})
	st := newMemory(man)
	s := newMember(t, "leecher", Config{}).join(t, man, st, false, evil.peer())
	waitComplete(t, s)
	st.check(t, data)
	within(t, time.Minute, "the blocks nobody asked for are counted", func() bool {
		return s.Stats().Bytes.Wasted == int64(man.NumPieces()*8*8)
	})
}

// A peer that takes back what it offered, again and again, ties no memory.
func TestRejectsTieNoMemory(t *testing.T) {
	t.Parallel()
	man, data := content(t, 4<<20)
	evil := newRaw(t, man, data)
	var rejected atomic.Int64
	evil.serve(func(c rawConn) {
		c.send(wire.AppendSimple(nil, wire.HaveAll))
		c.requests(func(m wire.Message) bool {
			rejected.Add(1)
			b := wire.AppendRange(nil, wire.Reject, m.Piece, m.Begin, m.Length)
			return c.send(wire.AppendHave(b, m.Piece))
		})
	})
	s := newMember(t, "leecher", Config{}).join(t, man, newMemory(man), false, evil.peer())
	within(t, time.Minute, "a thousand rejects", func() bool { return rejected.Load() > 1000 })
	if n := look(t, s, func(s *Swarm) int {
		if c := s.conns[evil.ID()]; c != nil {
			c.in.mu.Lock()
			defer c.in.mu.Unlock()
			return len(c.in.pieces)
		}
		return 0
	}); n > 8 {
		t.Errorf("%d buffers for a peer that sent nothing", n)
	}
}
