package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/sockopt"
)

const (
	// congestion is what accepted connections send by: it keeps a path full that loses
	// packets for other reasons than load.
	congestion = "bbr"
	// maxUnsent bounds what the kernel has of a connection and has not sent yet: a slow client takes
	// the memory of what its path holds, and no more. What is sent and not acknowledged is bounded
	// by the buffer, see [wideListener], and in time by silence.
	maxUnsent = 1 << 20
	// silence ends a connection whose client acknowledges nothing, or takes nothing. It is longer
	// than a client has for a write, which is what ends those that are merely slow.
	silence = time.Minute
)

// listen takes a TCP address, without Multipath TCP, of which connections would not
// inherit all options.
func (s *Server) listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if err := sockopt.SetCongestion(c, congestion); err != nil {
			s.refused = err // and no failure: it only tunes
		}
		_ = sockopt.BoundUnsent(c, maxUnsent)
		_ = sockopt.BoundSilence(c, silence)
		return nil
	}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return newWideListener(l.(*net.TCPListener)), nil
}

// portTries is how often a TCP port that the kernel picked is tried for UDP too.
const portTries = 10

// listenSecure takes an address for TCP and UDP.
func (s *Server) listenSecure(ctx context.Context, addr string) error {
	if len(s.cfg.Certificates) == 0 {
		return fmt.Errorf("gateway: %w: no certificate for %s", shoal.ErrInvalid, addr)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("gateway: %w: %v", shoal.ErrInvalid, err)
	}
	for try := 1; ; try++ {
		if s.secure, err = s.listen(ctx, addr); err != nil {
			return err
		}
		s.quic, err = listenQUIC(ctx, s.secure.Addr().String(), s.cfg.Certificates, s.conns)
		if err == nil {
			break
		}
		if port != "0" || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		_ = s.secure.Close()
	}
	s.advertise = `h3=":` + strconv.Itoa(int(s.TLSAddr().Port())) + `"; ma=3600`
	return nil
}

func tlsConfig(certs []tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: certs}
}

// quicListener is a [http3.QUICListener] together with all that it stands on.
type quicListener struct {
	*quic.Listener
	transport *quic.Transport
	socket    net.PacketConn
}

// errBusy refuses a connection.
var errBusy = errors.New("too many connections")

func listenQUIC(ctx context.Context, addr string, certs []tls.Certificate, conns *connLimit) (*quicListener, error) {
	var lc net.ListenConfig
	socket, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	tr := &quic.Transport{
		Conn: socket,
		// With many connections, make sure that a client has the address it claims.
		VerifySourceAddress: func(a net.Addr) bool { return conns.crowded(a.String()) },
		ConnContext: func(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
			leave, ok := conns.enter(client.RemoteAddr.String())
			if !ok {
				return nil, errBusy
			}
			context.AfterFunc(ctx, leave)
			return ctx, nil
		},
	}
	l, err := tr.Listen(http3.ConfigureTLSConfig(tlsConfig(certs)), &quic.Config{
		MaxIncomingStreams: maxStreams, MaxIdleTimeout: idleTime,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: listen on %s/udp: %w", addr, err), tr.Close(), socket.Close())
	}
	return &quicListener{l, tr, socket}, nil
}

// release closes everything; what of it is closed already does not matter.
func (l *quicListener) release() {
	_ = l.Listener.Close()
	_ = l.transport.Close()
	_ = l.socket.Close()
}
