package netprobe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"

	"github.com/shoal-cdn/shoal/internal/sockopt"
)

var errReconnect = errors.New("the gateway closed the connection")

// maxUnsent keeps a connection busy and an upload's time.
const maxUnsent = 64 << 10

// openTCP makes a session of HTTP/1.1. conf is nil for plain HTTP.
func openTCP(ctx context.Context, addr string, conf *tls.Config) (*session, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		_ = sockopt.SetCongestion(c, "bbr")   // as what is sent across carriers later; it only tunes
		_ = sockopt.BoundUnsent(c, maxUnsent) // without it the measurement is less precise
		return nil
	}}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := raw
	if conf != nil {
		conf.NextProtos = []string{"http/1.1"}
		secure := tls.Client(raw, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(e.RecordHeader[:]) == "HTTP/" {
				err = http.ErrSchemeMismatch
			}
			return nil, err
		}
		conn = secure
	}
	var once sync.Once
	dial := func(context.Context, string, string) (net.Conn, error) {
		c, err := net.Conn(nil), errReconnect
		once.Do(func() { c, err = conn, nil })
		return c, err
	}
	rt := &http.Transport{
		DialContext:            dial,
		DialTLSContext:         dial,
		DisableCompression:     true,
		MaxConnsPerHost:        1,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        64 << 10,
		ReadBufferSize:         64 << 10,
	}
	return &session{rt: rt, own: tcpCounter{raw}, close: func() {
		rt.CloseIdleConnections()
		raw.Close()
	}}, nil
}
