package fallback

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// link is one connection's way to speak HTTP: a client of its own, so that no
// two of them share a TCP or QUIC connection. After a redirect it is to several
// servers. One goroutine at a time uses it.
type link struct {
	client   *http.Client
	how      how
	answered bool         // an answer came over it
	rtt      atomic.Int64 // of the latest connection, ns; 0: none yet
	close    func()
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
	d := &net.Dialer{
		Timeout: h.connect,
		Control: func(network, addr string, c syscall.RawConn) error {
			began.Store(time.Now().UnixNano())
			return src.guard.control(network, addr, c)
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
	if !h.http2 { // said plainly, so that a server without it can say so too
		conf.NextProtos = []string{"http/1.1"}
	}
	t := newTransport(dial, conf, h.connect)
	if h.http2 {
		t.Protocols.SetHTTP1(false)
		t.Protocols.SetHTTP2(true)
	}
	return t, t.CloseIdleConnections
}
