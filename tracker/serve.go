package tracker

import (
	"context"
	"errors"
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

	// Times to send a request's body. The deadline is huma's; net/http lifts it
	// once the body has been read, so that it doesn't cut a held answer short.
	bodyTimeout    = 20 * time.Second
	torrentTimeout = 3 * time.Minute

	readTimeout = 10 * time.Second // for a content's description, from the database
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

// guard keeps browsers from being turned against the tracker by other sites'
// pages. Nobody logs in, so a page's request would be as good as any.
func guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		api.ProblemOfStatus(http.StatusForbidden, errCrossOrigin.Error()).Write(w)
	}))
	return origin.Handler(next)
}
