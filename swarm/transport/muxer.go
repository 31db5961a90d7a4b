package transport

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// yamuxHeader is the length in bytes of yamux's frame header. Every write
// below yamux is one frame; those that carry no data are only a header.
const yamuxHeader = 12

// Backlog is what was written to a connection's streams and is still queued
// above the kernel's socket buffer. It is safe for concurrent use.
type Backlog struct {
	mu      sync.Mutex
	bytes   int
	closed  bool
	waiters []waiter
}

type waiter struct {
	most int
	done chan struct{}
}

// Wait returns when at most the given number of bytes is queued, or when ctx
// ends, or when the connection is closed.
func (b *Backlog) Wait(ctx context.Context, most int) {
	b.mu.Lock()
	if b.bytes <= most || b.closed {
		b.mu.Unlock()
		return
	}
	w := waiter{most, make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waiters = slices.DeleteFunc(b.waiters, func(x waiter) bool { return x.done == w.done })
	}
}

func (b *Backlog) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += n
	b.wake()
}

func (b *Backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake()
}

func (b *Backlog) wake() {
	kept := b.waiters[:0]
	for _, w := range b.waiters {
		if b.bytes <= w.most || b.closed {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(b.waiters[len(kept):])
	b.waiters = kept
}

// muxer is yamux with a Backlog for every connection.
type muxer struct{ yamux *yamux.Transport }

func newMuxer() muxer { return muxer{yamux.DefaultTransport} }

func (m muxer) NewConn(nc net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	b := &Backlog{}
	records := recordsBelow(nc)
	sock := newSocket(records)
	c, err := m.yamux.NewConn(&countedConn{nc, b, records, sock}, isServer, scope)
	if err != nil {
		return nil, err
	}
	return &muxedConn{c, b, sock}, nil
}

// countedConn takes the data that yamux hands to the network off the backlog.
type countedConn struct {
	net.Conn
	backlog *Backlog
	records *recordConn // below TLS; nil: no TLS of ours
	socket  *socket
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.write(p)
	if len(p) > yamuxHeader {
		c.backlog.add(yamuxHeader - len(p))
	}
	return n, err
}

// write sends a frame's records together.
func (c *countedConn) write(p []byte) (int, error) {
	if c.records == nil {
		return c.Conn.Write(p)
	}
	c.records.hold()
	n, err := c.Conn.Write(p)
	return n, errors.Join(err, c.records.flush())
}

func (c *countedConn) Close() error {
	c.backlog.close()
	c.socket.close()
	if c.records != nil && c.records.writing.Load() {
		c.records.Close() // as TLS does: closing breaks a write that is under way
	}
	return c.Conn.Close()
}

type muxedConn struct {
	network.MuxedConn
	backlog *Backlog
	socket  *socket
}

func (c *muxedConn) As(target any) bool {
	switch t := target.(type) {
	case **Backlog:
		*t = c.backlog
		return true
	case **socket:
		*t = c.socket
		return true
	}
	return c.MuxedConn.As(target)
}

func (c *muxedConn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	return c.wrap(c.MuxedConn.OpenStream(ctx))
}

func (c *muxedConn) AcceptStream() (network.MuxedStream, error) {
	return c.wrap(c.MuxedConn.AcceptStream())
}

func (c *muxedConn) wrap(s network.MuxedStream, err error) (network.MuxedStream, error) {
	if err != nil {
		return nil, err
	}
	return &muxedStream{s, c.backlog}, nil
}

// muxedStream adds what is written to the backlog.
type muxedStream struct {
	network.MuxedStream
	backlog *Backlog
}

func (s *muxedStream) Write(p []byte) (int, error) {
	s.backlog.add(len(p)) // first: yamux may hand it on before Write returns
	n, err := s.MuxedStream.Write(p)
	if n < len(p) {
		s.backlog.add(n - len(p))
	}
	return n, err
}
