package transport

import (
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// Path is a connection to a peer as its sender knows it. All streams of a connection
// have the same Path, by which it can be a key. It is safe for concurrent use, also
// when the connection is closed.
type Path struct {
	tcp  *socket
	quic *quic.Conn
}

// Counters is what the sender's side has counted since the connection was made, TLS
// and the muxer's headers included.
type Counters struct {
	Acked  int64         // bytes that the peer has acknowledged; of QUIC those sent and not lost, what is under way among them
	Sent   int64         // bytes sent, again ones included
	Resent int64         // bytes sent again, or lost where the transport tells that
	Busy   time.Duration // that there was something to send or to be acknowledged; 0: the transport does not tell
	RTT    time.Duration // smoothed (RFC 6298, RFC 9002 §5.3); 0: unknown

	// MinRTT is the shortest: over TCP that of the last five minutes, so that it can grow, 0
	// where it is unknown; over QUIC that of the connection, 100 ms until one is measured.
	MinRTT time.Duration
}

// Path is the stream's connection.
func (s *Stream) Path() Path {
	var p Path
	if !s.s.Conn().As(&p.tcp) {
		s.s.Conn().As(&p.quic)
	}
	return p
}

// Counters returns what was counted so far, and whether the connection is still open: of
// a closed one nothing more will come. On systems that count nothing all is zero.
func (p Path) Counters() (c Counters, open bool) {
	switch {
	case p.tcp != nil:
		return p.tcp.counters()
	case p.quic != nil:
		st := p.quic.ConnectionStats()
		return Counters{
			Acked: max(0, int64(st.BytesSent)-int64(st.BytesLost)), Sent: int64(st.BytesSent), Resent: int64(st.BytesLost),
			RTT: st.SmoothedRTT, MinRTT: st.MinRTT,
		}, p.quic.Context().Err() == nil
	}
	return Counters{}, false
}

// socket reads a TCP socket's counters, and keeps the last ones.
type socket struct {
	raw syscall.RawConn // nil: cannot be read

	mu     sync.Mutex
	last   Counters
	closed bool
}

// newSocket reads the socket below a TLS connection; records may be nil.
func newSocket(records *recordConn) *socket {
	if records == nil {
		return &socket{}
	}
	return &socket{raw: records.socket}
}

func (s *socket) counters() (c Counters, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	return s.last, !s.closed
}

// close takes the last reading, before the socket goes.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	s.closed = true
}

// read is called with mu held.
func (s *socket) read() {
	if s.raw == nil || s.closed {
		return
	}
	err := s.raw.Control(func(fd uintptr) {
		if c, ok := tcpCounters(fd); ok {
			s.last = c
		}
	})
	s.closed = err != nil
}
