package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/shoal-cdn/shoal"
)

// openQUIC makes a client of HTTP/3 with a socket of its own, opened with the
// first connection.
func openQUIC(src *source, h how, rtt *atomic.Int64) (http.RoundTripper, func()) {
	d := &quicDialer{guard: src.guard, how: h, rtt: rtt}
	t := &http3.Transport{
		Dial:                   d.dial,
		TLSClientConfig:        src.TLS.Clone(),
		QUICConfig:             &quic.Config{HandshakeIdleTimeout: h.connect, MaxIdleTimeout: time.Minute},
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return t, func() {
		_ = t.Close() // errors are of connections that are gone anyway
		d.close()
	}
}

// quicDialer dials from one socket. dial is called by one request at a time, and
// never after or during close.
type quicDialer struct {
	guard *Guard
	how   how
	rtt   *atomic.Int64

	transport *quic.Transport // nil: not opened
}

func (d *quicDialer) close() {
	if d.transport != nil {
		d.transport.Close()
		d.transport.Conn.Close()
	}
}

func (d *quicDialer) dial(ctx context.Context, addr string, conf *tls.Config, qc *quic.Config) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.how.connect)
	defer cancel()
	addrs, err := d.resolve(ctx, addr)
	if err != nil {
		return nil, err
	}
	if d.transport == nil {
		socket, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, err
		}
		d.transport = &quic.Transport{Conn: socket}
	}
	var errs []error
	for i, a := range addrs {
		attempt, cancel := context.WithTimeout(ctx, d.how.connect/time.Duration(len(addrs)-i))
		began := time.Now()
		conn, err := d.transport.Dial(attempt, net.UDPAddrFromAddrPort(a), conf, qc)
		cancel()
		if err == nil {
			d.rtt.Store(max(1, int64(time.Since(began))))
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// resolve returns an address of each family, at most, that the guard allows. It
// fails where a name has none.
func (d *quicDialer) resolve(ctx context.Context, addr string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, &net.AddrError{Err: shoal.ErrInvalid.Error() + " port", Addr: strconv.Quote(service)}
	}
	if d.how.port != 0 {
		port = uint64(d.how.port)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var addrs []netip.AddrPort
	var refused error
	for _, ip := range ips {
		ip = ip.Unmap()
		if err := d.guard.Check(ip); err != nil {
			refused = err
		} else if len(addrs) == 0 || len(addrs) == 1 && addrs[0].Addr().Is4() != ip.Is4() {
			addrs = append(addrs, netip.AddrPortFrom(ip, uint16(port)))
		}
	}
	if len(addrs) == 0 {
		return nil, refused
	}
	return addrs, nil
}
