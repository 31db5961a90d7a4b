package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
)

const (
	headerTime   = 10 * time.Second // to send a request's header, and for a TLS handshake
	idleTime     = 2 * time.Minute
	shutdownTime = 5 * time.Second // for transfers under way when the node stops
	headerBytes  = 32 << 10
	maxStreams   = 100 // requests at a time on one HTTP/2 or HTTP/3 connection
	maxConns     = 4096
	maxConnsEach = 256 // of one client
)

// ServerConfig says where and how a handler is served.
type ServerConfig struct {
	Handler http.Handler // required, for instance a [Gateway]

	// Plain is the HOST:PORT for HTTP/1.1 without TLS, TLS that for HTTP/1.1 and
	// HTTP/2 over TLS on TCP and for HTTP/3 on UDP. "" leaves one out; port 0 picks a
	// free one.
	Plain, TLS string

	// Certificates are what the server shows, one of them at least with TLS: the first
	// that is for the name which a client asks for, else the first. See package
	// nodecert for one that proves the node's ID.
	Certificates []tls.Certificate

	// ConnContext and QUICConnContext, unless nil, make the context of the requests on
	// a connection; they are called by [http.Server] and [http3.Server].
	ConnContext     func(ctx context.Context, c net.Conn) context.Context
	QUICConnContext func(ctx context.Context, c *quic.Conn) context.Context

	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

// Server has its addresses and serves on them. Serve is called once, at most;
// Serve or Close releases everything.
type Server struct {
	cfg       ServerConfig
	plain     net.Listener // nil for none
	secure    net.Listener // nil for none
	quic      *quicListener
	grace     time.Duration // shutdownTime
	refused   error         // why connections don't send by BBR
	conns     *connLimit
	stopped   context.Context // of requests over TCP: ends when time to stop has run out
	cutShort  context.CancelFunc
	advertise string // Alt-Svc
}

// Listen takes the addresses. The error is of kind [shoal.ErrInvalid] where cfg
// has none.
func Listen(ctx context.Context, cfg ServerConfig) (_ *Server, err error) {
	if cfg.Plain == "" && cfg.TLS == "" {
		return nil, fmt.Errorf("gateway: %w: no address", shoal.ErrInvalid)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, grace: shutdownTime, conns: newConnLimit()}
	s.stopped, s.cutShort = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if cfg.Plain != "" {
		if s.plain, err = s.listen(ctx, cfg.Plain); err != nil {
			return nil, err
		}
	}
	if cfg.TLS != "" {
		if err := s.listenSecure(ctx, cfg.TLS); err != nil {
			return nil, err
		}
	}
	if s.refused != nil {
		cfg.Log.Warn("the gateway sends without BBR: slow over paths that lose packets", "err", s.refused)
	}
	return s, nil
}

// PlainAddr is the address for plain HTTP; the zero value without one.
func (s *Server) PlainAddr() netip.AddrPort { return addrOf(s.plain) }

// TLSAddr is the address for HTTPS, on TCP and UDP; the zero value without one.
func (s *Server) TLSAddr() netip.AddrPort { return addrOf(s.secure) }

// CongestionErr is why the kernel refused BBR for what the server sends over TCP;
// nil where it did not. The connections work in any case.
func (s *Server) CongestionErr() error { return s.refused }

func addrOf(l net.Listener) netip.AddrPort {
	if l == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(l.Addr().String()) // a TCP address is one
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Serve serves until ctx ends, gives transfers a few seconds to end, and cuts the
// others off. It returns nil where it was ctx that ended it.
func (s *Server) Serve(ctx context.Context) error {
	defer s.release()
	g, ctx := errgroup.WithContext(ctx)
	if s.plain != nil {
		srv := s.server()
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		s.run(ctx, g, srv, func() error { return srv.Serve(s.plain) })
	}
	if s.secure != nil {
		srv := s.server()
		srv.Handler = s.advertised(s.cfg.Handler)
		srv.TLSConfig = tlsConfig(s.cfg.Certificates)
		s.run(ctx, g, srv, func() error { return srv.ServeTLS(s.secure, "", "") })
		h3 := &http3.Server{
			Handler: s.cfg.Handler, MaxHeaderBytes: headerBytes, IdleTimeout: idleTime,
			ConnContext: s.cfg.QUICConnContext,
			Logger:      slog.New(slog.DiscardHandler), // it tells of every client that goes away
		}
		s.run(ctx, g, h3, func() error { return h3.ServeListener(s.quic) })
	}
	return g.Wait()
}

// stopper is a server of package http or http3.
type stopper interface {
	Shutdown(context.Context) error
	Close() error
}

// run serves until ctx ends, and then stops in bounded time.
func (s *Server) run(ctx context.Context, g *errgroup.Group, srv stopper, serve func() error) {
	g.Go(func() error {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("gateway: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			s.cutShort()
			_ = srv.Close() // whoever did not let go by now is cut off
		}
		return nil
	})
}

func (s *Server) server() *http.Server {
	return &http.Server{
		Handler:           s.cfg.Handler,
		ReadHeaderTimeout: headerTime, // and no time for all of a request, which would end its context
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: idleTime / 4, WriteByteTimeout: replyTime},
		ConnState:         s.conns.track,
		ConnContext:       s.cfg.ConnContext,
		BaseContext:       func(net.Listener) context.Context { return s.stopped },
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// advertised tells clients of HTTP/3 (RFC 7838).
func (s *Server) advertised(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", s.advertise)
		next.ServeHTTP(w, r)
	})
}

// Close gives the addresses up, for a server that is not served, and cuts off
// whoever is being served. Closing twice is no error.
func (s *Server) Close() error {
	s.release()
	return nil
}

func (s *Server) release() {
	s.cutShort()
	for _, l := range []net.Listener{s.plain, s.secure} {
		if l != nil {
			_ = l.Close() // its server has done so already, where there was one
		}
	}
	if s.quic != nil {
		s.quic.release()
	}
}

// connLimit bounds the connections that are open, busy or not, in all and of
// each client.
type connLimit struct {
	*admission
	admitted sync.Map // of the func() that takes it off, by net.Conn
}

func newConnLimit() *connLimit { return &connLimit{admission: newAdmission(maxConns, maxConnsEach)} }

// track is an [http.Server]'s ConnState.
func (l *connLimit) track(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		leave, ok := l.enter(c.RemoteAddr().String())
		if !ok {
			_ = c.Close() // the server finds out
			return
		}
		l.admitted.Store(c, leave)
	case http.StateClosed, http.StateHijacked:
		if leave, ok := l.admitted.LoadAndDelete(c); ok {
			leave.(func())()
		}
	}
}
