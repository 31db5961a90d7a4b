package netprobe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// openQUIC makes a session of HTTP/3.
func openQUIC(ctx context.Context, addr string, conf *tls.Config) (*session, error) {
	addrs, err := resolveUDP(ctx, addr)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	conf.NextProtos = []string{http3.NextProtoH3}
	tr := &quic.Transport{Conn: socket}
	conn, err := dialQUIC(ctx, tr, addrs, conf)
	if err != nil {
		tr.Close()
		socket.Close()
		return nil, err
	}
	h3 := &http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes}
	return &session{rt: h3.NewClientConn(conn), own: quicCounter{conn}, close: func() {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") // tells the other end
		tr.Close()
		socket.Close()
	}}, nil
}

// dialQUIC tries the addresses in turn, each for its share of the time left.
func dialQUIC(ctx context.Context, tr *quic.Transport, addrs []netip.AddrPort, conf *tls.Config) (*quic.Conn, error) {
	qc := &quic.Config{HandshakeIdleTimeout: connectTime, MaxIdleTimeout: 10 * time.Second}
	var errs []error
	for i, a := range addrs {
		attempt, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			attempt, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(addrs)-i))
		}
		conn, err := tr.Dial(attempt, net.UDPAddrFromAddrPort(a), conf, qc)
		cancel()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// resolveUDP returns the first address of each family: more would make each
// attempt too short.
func resolveUDP(ctx context.Context, addr string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, &net.AddrError{Err: "bad port", Addr: strconv.Quote(service)}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var addrs []netip.AddrPort
	for _, ip := range ips {
		ip = ip.Unmap()
		if len(addrs) == 0 || len(addrs) == 1 && addrs[0].Addr().Is4() != ip.Is4() {
			addrs = append(addrs, netip.AddrPortFrom(ip, uint16(port)))
		}
	}
	return addrs, nil
}
