package transport

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/shoal-cdn/shoal"
)

// Stream is a two-way byte stream to a peer whose identity is proven. Read
// and Write may be called concurrently with each other, and Close with both. Until it is
// closed, so that it must be, its connection is kept however many there are.
type Stream struct {
	s       network.Stream
	dialled bool
	backlog *Backlog // nil on QUIC, whose writes wait by themselves
	release func()   // lets go of the connection
}

func (h *Host) newStream(s network.Stream, dialled bool) *Stream {
	st := &Stream{s: s, dialled: dialled, release: h.keeper.keep(s.Conn().RemotePeer())}
	s.Conn().As(&st.backlog)
	return st
}

// Peer is the other side's node ID.
func (s *Stream) Peer() shoal.NodeID { return shoal.NodeID(s.s.Conn().RemotePeer().String()) }

// Dialled reports whether this side opened the stream.
func (s *Stream) Dialled() bool { return s.dialled }

// RemoteAddr is the multiaddr of the other side.
func (s *Stream) RemoteAddr() string { return s.s.Conn().RemoteMultiaddr().String() }

func (s *Stream) Read(p []byte) (int, error)  { return s.s.Read(p) }
func (s *Stream) Write(p []byte) (int, error) { return s.s.Write(p) }

// Drain waits until all but the given number of the bytes written have reached
// the kernel, or ctx ends.
func (s *Stream) Drain(ctx context.Context, queue int) {
	if s.backlog != nil {
		s.backlog.Wait(ctx, queue)
	}
}

// SetReadDeadline and SetWriteDeadline bound pending and later calls.
func (s *Stream) SetReadDeadline(t time.Time) error  { return s.s.SetReadDeadline(t) }
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.s.SetWriteDeadline(t) }

// Close ends both directions at once and drops what is under way.
func (s *Stream) Close() {
	_ = s.s.Reset()
	s.release()
}
