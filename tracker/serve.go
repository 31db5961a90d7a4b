package tracker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
	"golang.org/x/sync/errgroup"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// writeTimeout starts with the request: it covers a held answer and a
	// large .torrent to a slow client.
	writeTimeout = 5 * time.Minute
	stopTimeout  = 5 * time.Second

	bodyTimeout    = 30 * time.Second // to send a request's body
	torrentTimeout = 3 * time.Minute
)

// Serve runs the tracker and its HTTP server on ln until ctx ends, and closes
// ln. It returns nil when ctx ended.
func (t *Tracker) Serve(ctx context.Context, ln net.Listener) error {
	s := &http.Server{
		Handler:           t.handler,
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.Run(ctx) })
	g.Go(func() error {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		t.close() // held answers go out, else they would outlast the time to stop
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if s.Shutdown(stop) != nil {
			return s.Close()
		}
		return nil
	})
	return g.Wait()
}

// guard bounds how long a request's body may take and keeps browsers from
// being turned against the tracker by other sites' pages.
func guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		api.ProblemOfStatus(http.StatusForbidden, errCrossOrigin.Error()).Write(w)
	}))
	return origin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &bodyWithin{ReadCloser: r.Body, deadline: http.NewResponseController(w)}
		next.ServeHTTP(w, r)
	}))
}

// bodyWithin lifts the deadline for reading that huma sets for the body once
// the body has been read. The server goes on reading from the connection to
// notice when the client leaves; a deadline that passes then ends the
// request's context, and with it an answer that is held back.
type bodyWithin struct {
	io.ReadCloser
	deadline *http.ResponseController
}

func (b *bodyWithin) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.deadline.SetReadDeadline(time.Time{}) // where it can't be lifted it wasn't set either
	}
	return n, err
}
