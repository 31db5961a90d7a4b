package fallback

import (
	"context"
	"net"
	"sync"
)

// sockets are a link's TCP connections, which are to end with it. Their transport closes
// only those that are idle: for a moment after a range over HTTP/2 was cancelled its
// connection is not, and one that is still being made is not there yet. It is safe for
// concurrent use.
type sockets struct {
	mu     sync.Mutex
	open   map[*socket]struct{}
	closed bool
}

// socket is one of them while it is open.
type socket struct {
	net.Conn
	of *sockets
}

// dial is by with what it dials remembered; [net.ErrClosed] after close.
func (s *sockets) dial(by dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := by(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		k := &socket{c, s}
		if !s.add(k) {
			_ = c.Close()
			return nil, net.ErrClosed
		}
		return k, nil
	}
}

// add reports whether k may be used.
func (s *sockets) add(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = make(map[*socket]struct{})
	}
	s.open[k] = struct{}{}
	return true
}

// close ends all, those that are still being made included.
func (s *sockets) close() {
	s.mu.Lock()
	left := s.open
	s.open, s.closed = nil, true
	s.mu.Unlock()
	for k := range left {
		_ = k.Conn.Close() // nobody uses it
	}
}

// Close implements [net.Conn].
func (k *socket) Close() error {
	k.of.mu.Lock()
	delete(k.of.open, k)
	k.of.mu.Unlock()
	return k.Conn.Close()
}
