package fallback

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shoal-cdn/shoal/internal/sockopt"
)

// receiveBuffer is what a connection can hold from the beginning, in bytes, where the kernel
// allows it: four round trips of 200 ms at 80 Mbit/s, since what follows a lost packet waits
// there until that has come. What kernels begin with grows too late: a sender held back
// by it for three round trips takes that for the path's capacity (BBR's startup).
const receiveBuffer = 8 << 20

// streamBuffer is how far a stream of HTTP/2 may be ahead of its reader, in bytes. It is memory
// that the other end has the say over: whatever the reader does, the connection is read empty.
const streamBuffer = receiveBuffer

// link is a lane's way to speak HTTP: a client of its own, so that no
// two of them share a TCP or QUIC connection. After a redirect it is to several
// servers. It is safe for concurrent use.
type link struct {
	client   *http.Client
	how      how
	answered atomic.Bool  // an answer came over it
	rtt      atomic.Int64 // of the latest connection, ns; 0: none yet
	users    int          // ranges under way; guarded by the lane's mu
	close    func()       // what nobody uses
}

// retire closes the link once nobody uses it. The caller holds the lane's mu.
func (l *link) retire() {
	if l.users == 0 {
		l.close()
	}
}

// how is by what protocol a link speaks, and what it was made with.
type how struct {
	transport Transport
	http2     bool          // over TCP
	port      uint16        // over QUIC, instead of the URL's; 0: that one
	connect   time.Duration // to establish a connection
}

// open makes a link to src; it connects with the first request. dial replaces
// the network where it is not nil.
func open(src *source, h how, dial dialFunc) *link {
	l := &link{how: h}
	var rt http.RoundTripper
	if h.transport == QUIC {
		rt, l.close = openQUIC(src, h, &l.rtt)
	} else {
		rt, l.close = openTCP(src, h, dial, &l.rtt)
	}
	l.client = &http.Client{Transport: rt, CheckRedirect: checkRedirect}
	if src.Kind == Node { // another server has not the node's ID
		l.client.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirectedTo }
	}
	return l
}

func openTCP(src *source, h how, dial dialFunc, rtt *atomic.Int64) (http.RoundTripper, func()) {
	var began atomic.Int64 // when the latest address was tried: names are resolved before
	guard := src.guard
	d := &net.Dialer{
		Timeout: h.connect,
		Control: func(network, addr string, c syscall.RawConn) error {
			began.Store(time.Now().UnixNano())
			_ = sockopt.WidenReceive(c, receiveBuffer) // only tunes
			return guard.control(network, addr, c)
		},
	}
	if dial == nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			if err == nil {
				rtt.Store(max(1, time.Now().UnixNano()-began.Load()))
			}
			return c, err
		}
	}
	conf := src.TLS.Clone()
	if conf == nil {
		conf = new(tls.Config)
	}
	conf.ClientSessionCache = src.sessions
	var made sockets
	t := newTransport(made.dial(dial), conf, h.connect)
	switch {
	case h.http2:
		t.Protocols.SetHTTP1(false)
		t.Protocols.SetHTTP2(true)
	case src.overlaps():
		t.Protocols.SetHTTP2(true)
	default: // said plainly, so that a server without it can say so too
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	t.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: streamBuffer}
	return t, func() {
		t.CloseIdleConnections() // says goodbye
		made.close()
	}
}
