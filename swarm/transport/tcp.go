package transport

import (
	"context"
	"net"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	ctransport "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// tcpTransport is libp2p's TCP transport with our socket options on both the
// sockets it dials and those it accepts.
type tcpTransport struct {
	*tcp.TcpTransport
	upgrader ctransport.Upgrader
}

func newTCP(upgrader ctransport.Upgrader, rm network.ResourceManager) (*tcpTransport, error) {
	dialer := tunedDialer{net.Dialer{Control: control}}
	t, err := tcp.NewTCPTransport(upgrader, rm, nil, tcp.WithDialerForAddr(
		func(ma.Multiaddr) (tcp.ContextDialer, error) { return dialer, nil }))
	if err != nil {
		return nil, err
	}
	return &tcpTransport{t, upgrader}, nil
}

// Listen replaces the embedded one, which offers no hook on its socket.
// Accepted sockets inherit the listening socket's options.
func (t *tcpTransport) Listen(laddr ma.Multiaddr) (ctransport.Listener, error) {
	network, host, err := manet.DialArgs(laddr)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: control}
	l, err := lc.Listen(context.Background(), network, host)
	if err != nil {
		return nil, err
	}
	ml, err := manet.WrapNetListener(tunedListener{l})
	if err != nil {
		l.Close()
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(ml)), nil
}

// tunedDialer and tunedListener fit the congestion control of a connection to
// its path, as soon as its first round trip has been measured.
type (
	tunedDialer   struct{ net.Dialer }
	tunedListener struct{ net.Listener }
)

func (d tunedDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, addr)
	if err == nil {
		tune(c)
	}
	return c, err
}

func (l tunedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		tune(c)
	}
	return c, err
}

func tune(c net.Conn) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(setCongestionControl) // only tunes, as all options here
	}
}

// control sets the options of a TCP socket before it is used. One that the
// kernel refuses is not worth failing for: it only tunes.
func control(_, _ string, c syscall.RawConn) error {
	return c.Control(setSocketOptions)
}
