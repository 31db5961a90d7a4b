package tus

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	expslog "golang.org/x/exp/slog"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// Path is where tus uploads are created; one of them is below it.
const Path = "/v1/tus/"

// Config is what a server works with; all fields are required.
type Config struct {
	Store *uploads.Store
	// Context ends what goes on longer than requests.
	Context context.Context
	// Adopted is told of an upload that has become a complete one of Store.
	Adopted func(u *uploads.Upload)
	Idle    time.Duration // after which what makes no progress is deleted
}

// Server is an HTTP handler for all that is below [Path]. It is safe for concurrent use.
type Server struct {
	cfg  Config
	data *data
	tusd http.Handler
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg}
	s.data = &data{store: cfg.Store, root: cfg.Store.Root(), ctx: cfg.Context, finish: s.finish}
	composer := handler.NewStoreComposer()
	composer.UseCore(s.data)
	composer.UseTerminater(s.data)
	composer.UseConcater(s.data)
	memorylocker.New().UseIn(composer)
	h, err := handler.NewHandler(handler.Config{
		StoreComposer: composer, BasePath: Path, DisableDownload: true, RespectForwardedHeaders: true,
		NetworkTimeout: api.MinBodyTime, Logger: expslog.New(expslog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return nil, fmt.Errorf("tus: %w", err)
	}
	s.tusd = http.StripPrefix(Path, h)
	return s, nil
}

// finish makes what is whole an upload like any other.
func (s *Server) finish(ctx context.Context, id string, info handler.FileInfo) error {
	d, err := distributeOf(info)
	if err != nil {
		return err
	}
	u, err := s.cfg.Store.Adopt(ctx, id, nameOf(info), d, path.Join(folder, id, dataFile))
	if err != nil {
		return err
	}
	s.cfg.Adopted(u)
	return nil
}

// Resume finishes uploads that were whole when the process ended, and not finished.
func (s *Server) Resume(ctx context.Context) error { return s.data.resume(ctx) }

// Sweep deletes what is abandoned.
func (s *Server) Sweep(now time.Time) error { return s.data.sweep(now, s.cfg.Idle) }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // tusd bounds how long each part of a body may take
	if r.Method == http.MethodOptions {
		w = &announcing{ResponseWriter: w}
	}
	sum, ok := parseChecksum(r.Header.Get("Upload-Checksum"))
	if !ok {
		w.Header().Set("Tus-Resumable", "1.0.0")
		http.Error(w, "ERR_CHECKSUM: want "+algorithms+" and base64", http.StatusBadRequest)
		return
	}
	if sum != nil {
		r = withChecksum(r, sum)
	}
	s.tusd.ServeHTTP(w, r)
}

// announcing adds what tusd does not know of to the answer to OPTIONS.
type announcing struct{ http.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (a *announcing) WriteHeader(status int) {
	h := a.Header()
	if ext := h.Get("Tus-Extension"); ext != "" {
		h.Set("Tus-Extension", ext+",checksum")
		h.Set("Tus-Checksum-Algorithm", algorithms)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *announcing) Unwrap() http.ResponseWriter { return a.ResponseWriter }
