package upload

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/internal/sockopt"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	connectTime    = 8 * time.Second // to establish a connection, TLS included
	maxHeaderBytes = 32 << 10        // of an answer
	maxUnsent      = 128 << 10       // in the kernel: what it has taken was nearly sent
)

// TLSConfig is how a target is recognised: a node by its key, any other server
// by its name and the system's certificate authorities.
func TLSConfig(t netprobe.Target) (*tls.Config, error) {
	if t.Node != "" {
		return nodecert.PinNode(t.Node), nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}, nil
}

// transport is one connection's way to speak HTTP. No two of them share a TCP or
// QUIC connection, so that each has a congestion window of its own. It is opened
// with the first request, and again after a failure.
type transport struct {
	http.RoundTripper
	close func()
	reset func()                     // closes a connection on which nothing is under way; the next request opens one
	from  atomic.Pointer[netip.Addr] // this end of the latest connection; nil: unknown, or it does not matter
}

// dialer opens transports, and remembers whether the kernel let them send by BBR.
type dialer struct {
	refused atomic.Pointer[error] // why a TCP connection sends without BBR
}

// bbr reports whether no connection was refused it so far.
func (d *dialer) bbr() bool { return d.refused.Load() == nil }

func (d *dialer) open(p netprobe.Path) (*transport, error) {
	conf, err := TLSConfig(p.Target)
	if err != nil {
		return nil, err
	}
	if p.Transport == netprobe.QUIC {
		return openQUIC(conf), nil
	}
	return d.openTCP(conf), nil
}

// openTCP speaks HTTP/1.1: streams of one connection would share its window.
func (d *dialer) openTCP(conf *tls.Config) *transport {
	opened := &transport{}
	nd := net.Dialer{Timeout: connectTime, Control: func(_, _ string, c syscall.RawConn) error {
		if err := sockopt.SetCongestion(c, "bbr"); err != nil { // it only tunes
			d.refused.CompareAndSwap(nil, &err)
		}
		_ = sockopt.BoundUnsent(c, maxUnsent) // without it a break costs somewhat more
		return nil
	}}
	conf.NextProtos = []string{"http/1.1"}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := nd.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
				from := a.AddrPort().Addr().Unmap().WithZone("")
				opened.from.Store(&from)
			}
			return conn, nil
		},
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    connectTime,
		MaxConnsPerHost:        1,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        64 << 10,
		IdleConnTimeout:        time.Minute,
		ExpectContinueTimeout:  2 * time.Second,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	opened.RoundTripper, opened.close, opened.reset = t, t.CloseIdleConnections, t.CloseIdleConnections
	return opened
}

// openQUIC speaks HTTP/3 from a socket of its own, which is opened with the
// first connection and not after close.
func openQUIC(conf *tls.Config) *transport {
	s := &quicSocket{}
	t := &http3.Transport{
		Dial:                   s.dial,
		TLSClientConfig:        conf,
		QUICConfig:             &quic.Config{HandshakeIdleTimeout: connectTime, MaxIdleTimeout: 30 * time.Second},
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &transport{RoundTripper: t, reset: func() {}, close: func() {
		_ = t.Close() // errors are of connections that are gone anyway
		s.close()
	}}
}

// quicSocket is a UDP socket. It is safe for concurrent use.
type quicSocket struct {
	mu sync.Mutex // guards tr
	tr *quic.Transport
}

func (s *quicSocket) dial(ctx context.Context, addr string, conf *tls.Config, qc *quic.Config) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var r net.Resolver
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	n, err := r.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, err
	}
	tr, err := s.open()
	if err != nil {
		return nil, err
	}
	return tr.Dial(ctx, &net.UDPAddr{IP: ips[0].Unmap().AsSlice(), Port: n}, conf, qc)
}

func (s *quicSocket) open() (*quic.Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tr == nil {
		socket, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, err
		}
		s.tr = &quic.Transport{Conn: socket}
	}
	return s.tr, nil
}

func (s *quicSocket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tr != nil {
		_ = s.tr.Close()
		_ = s.tr.Conn.Close()
	}
}
