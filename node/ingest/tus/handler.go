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
	"golang.org/x/sync/singleflight"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/pace"
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

	finishing singleflight.Group // by ID and checksum
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg}
	s.data = &data{
		store: cfg.Store, root: cfg.Store.Root(), ctx: cfg.Context, finish: s.finish,
		joining: make(chan struct{}, maxJoining), hopeless: make(map[string]bool),
	}
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

// finish makes what is whole an upload like any other. Of several that ask for it at a time one does it; what was sent
// again meanwhile is another question.
func (s *Server) finish(ctx context.Context, info handler.FileInfo, sum uploads.Sum) error {
	_, err, _ := s.finishing.Do(fmt.Sprintf("%s %v", info.ID, sum), func() (any, error) { return nil, s.adopt(ctx, info, sum) })
	return err
}

func (s *Server) adopt(ctx context.Context, info handler.FileInfo, sum uploads.Sum) error {
	d, err := distributeOf(info)
	if err != nil {
		return err
	}
	u, err := s.cfg.Store.Adopt(ctx, info.ID, nameOf(info), d, path.Join(folder, info.ID, dataFile), sum)
	if err != nil {
		return err
	}
	s.cfg.Adopted(u)
	return s.cfg.Store.Unreserve(info.ID) // what is described counts
}

// Resume finishes uploads that are whole and were not finished, since the process ended or
// something was in the way. It is to be called every now and then.
func (s *Server) Resume(ctx context.Context) error { return s.data.resume(ctx) }

// Sweep deletes what is abandoned.
func (s *Server) Sweep(now time.Time) error { return s.data.sweep(now, s.cfg.Idle) }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // until there is something to write
	body := pace.New(w, r)
	w = &answer{ResponseWriter: w, method: r.Method, body: body}
	r.Body = body
	sum, ok := parseChecksum(r.Header.Get("Upload-Checksum"))
	if !ok {
		w.Header().Set("Tus-Resumable", "1.0.0")
		http.Error(w, "ERR_CHECKSUM: want "+algorithms+" and base64", http.StatusBadRequest)
		return
	}
	if sum != nil {
		r = withChecksum(r, sum)
	}
	if r.Method == http.MethodHead {
		r = r.WithContext(context.WithValue(r.Context(), reportsKey{}, true))
	}
	s.tusd.ServeHTTP(w, r)
}

type reportsKey struct{}

// reports says whether the request that ctx is of is answered with an offset that its client may not know. Bytes are sent
// with the offset, and saving them makes durable what they follow.
func reports(ctx context.Context) bool { return ctx.Value(reportsKey{}) != nil }
