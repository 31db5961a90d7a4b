package netprobe

import (
	"context"
	"net"
	"syscall"

	"github.com/quic-go/quic-go"
)

// counter tells what this end has sent on a connection so far.
type counter interface{ sent() Loss }

type counterKey struct{}

// ConnContext lets [Handler] see the packets of a connection. It is for
// [net/http.Server].ConnContext; a server that needs the field for more calls it from
// there. Without it, or where the kernel doesn't tell, loss is unknown.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, counterKey{}, counter(tcpCounter{c}))
}

// QUICConnContext is ConnContext for ConnContext of quic-go's http3.Server.
func QUICConnContext(ctx context.Context, c *quic.Conn) context.Context {
	return context.WithValue(ctx, counterKey{}, counter(quicCounter{c}))
}

// sentOn is what was sent on the connection of a request with this context.
func sentOn(ctx context.Context) Loss {
	if c, ok := ctx.Value(counterKey{}).(counter); ok {
		return c.sent()
	}
	return Loss{}
}

type quicCounter struct{ conn *quic.Conn }

func (c quicCounter) sent() Loss {
	s := c.conn.ConnectionStats()
	return Loss{Sent: int64(s.PacketsSent), Lost: min(int64(s.PacketsLost), int64(s.PacketsSent))}
}

type tcpCounter struct{ conn net.Conn }

func (c tcpCounter) sent() Loss {
	conn := c.conn
	for range 4 { // TLS and whatever else a listener wraps around a socket
		if s, ok := conn.(syscall.Conn); ok {
			raw, err := s.SyscallConn()
			if err != nil {
				return Loss{}
			}
			return tcpSent(raw)
		}
		w, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = w.NetConn()
	}
	return Loss{}
}
