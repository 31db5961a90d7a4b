// Package pipenet serves HTTP over connections in memory, so that time in a test of it can be virtual
// (testing/synctest).
package pipenet

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Server serves one handler. It is safe for concurrent use.
type Server struct {
	http   http.Server
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
	served sync.WaitGroup
}

// linger is longer than package http keeps a connection that it closes.
const linger = time.Second

// Serve serves h until the test ends, or Close. It is called in the test's bubble, where there is one.
func Serve(t testing.TB, h http.Handler) *Server {
	t.Helper()
	s := &Server{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.http.Handler = h
	s.served.Go(func() { _ = s.http.Serve(listener{s}) }) // it says that it was closed
	t.Cleanup(s.Close)
	return s
}

// Dial connects to the server and returns the client's end, which the caller closes. After Close
// it is closed already.
func (s *Server) Dial() net.Conn {
	client, server := net.Pipe()
	select {
	case s.conns <- server:
	case <-s.closed:
		_ = server.Close() // a pipe has nothing to lose
		_ = client.Close()
	}
	return client
}

// Close ends all connections, and returns when the server has let go of them. Closing twice is no error.
func (s *Server) Close() {
	s.close.Do(func() {
		_ = s.http.Close() // the listener's error, which is none
		s.served.Wait()
		<-time.After(linger)
	})
}

// listener is the server's side.
type listener struct{ *Server }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]; package http calls it once.
func (l listener) Close() error {
	close(l.closed)
	return nil
}

// Addr implements [net.Listener].
func (l listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
