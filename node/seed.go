package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/node/download"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// postSeed hashes, registers and serves a path or a URL's file, and tells how
// far it is, one JSON object a line. What fails before there is anything to
// tell is answered with a problem, as everywhere else.
func (n *Node) postSeed(w http.ResponseWriter, r *http.Request) {
	var req api.Seed
	err := decode(r, &req)
	if err == nil {
		err = n.checkSeed(&req)
	}
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	events := newEventStream(w)
	var m *shoal.Manifest
	var warning string
	if req.URL != "" {
		m, warning, err = n.seedURL(r.Context(), req, events)
	} else {
		m, err = n.library.Seed(r.Context(), req.Path, req.WebSeeds, func(hashed, total int64) {
			events.send(api.SeedEvent{Hashed: hashed, Total: total})
		})
	}
	switch {
	case err != nil && !events.begun:
		n.refuse(w, r, readable(err))
	case err != nil:
		n.log.Warn("seeding failed", "path", cmp.Or(req.Path, req.Name), "err", err)
		events.fail(err)
	default:
		n.tellTracker(r.Context(), m.ID())
		events.send(api.SeedEvent{Hashed: m.Size(), Total: m.Size(), Done: &api.Seeded{
			Content: m.ID(), Name: m.Name(), Size: m.Size(), Pieces: m.NumPieces(), PieceLength: m.PieceLength(), Warning: warning,
		}})
	}
}

// checkSeed finds what is wrong with a request before anything is hashed, and
// completes it.
func (n *Node) checkSeed(req *api.Seed) error {
	what := cmp.Or(req.URL, req.Path)
	bad := func(why string) error { return fmt.Errorf("seed %q: %w: %s", what, shoal.ErrInvalid, why) }
	switch {
	case req.Path != "" && req.URL != "":
		return bad("want a path or a URL, not both")
	case req.URL == "" && !filepath.IsAbs(req.Path):
		return bad("want an absolute path in the node's file system")
	case req.URL == "" && req.Name != "":
		return bad("a path is seeded under its own name")
	case req.URL != "" && n.downloads == nil:
		return bad("this node does not fetch from URLs")
	}
	if req.URL != "" {
		req.WebSeeds = append([]string{req.URL}, req.WebSeeds...)
		// As a web seed it would lead to other URLs, below itself (BEP 19).
		if where, _, _ := strings.Cut(req.URL, "?"); strings.HasSuffix(where, "/") {
			return bad("a URL that ends with a slash is that of a folder; want that of a file")
		}
	}
	if len(req.WebSeeds) > shoal.MaxWebSeeds {
		return bad(fmt.Sprintf("more than %d web seeds", shoal.MaxWebSeeds))
	}
	for _, u := range req.WebSeeds {
		if err := shoal.CheckWebSeed(u); err != nil {
			return err
		}
	}
	if req.URL != "" && req.Name == "" {
		name, err := download.NameOf(req.URL)
		if err != nil {
			return fmt.Errorf("seed %q: %w", what, err)
		}
		req.Name = name
	}
	return nil
}

// tellTime bounds how long a seed waits for the tracker to know its origin.
const tellTime = 5 * time.Second

// tellTracker waits until the tracker knows that the content is here, so that a
// task created next finds its origin. The content is served in any case.
func (n *Node) tellTracker(ctx context.Context, id shoal.ContentID) {
	if len(n.cfg.Trackers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	if err := n.announcer.Flush(ctx); err != nil {
		n.log.Warn("the tracker does not know yet that the content is here", "content", id, "err", err)
	}
}

// openDownloads opens the folder for what is seeded from URLs.
func (n *Node) openDownloads() (err error) {
	if n.cfg.Web == nil {
		return nil
	}
	var limit *rate.Limiter
	if n.cfg.Down > 0 {
		limit = rate.NewLimiter(rate.Limit(n.cfg.Down), download.BufferSize)
	}
	n.downloads, err = download.Open(download.Config{
		Dir: filepath.Join(n.cfg.Data, "downloads"), Client: n.cfg.Web, Max: n.cfg.WebMax, Limiter: limit, Log: n.log,
	})
	if err == nil {
		n.release = append(n.release, n.downloads.Close)
	}
	return err
}

// seedURL fetches a file once and seeds it from where it then is.
func (n *Node) seedURL(ctx context.Context, req api.Seed, events *eventStream) (_ *shoal.Manifest, warning string, err error) {
	n.sweepDownloads()
	file, err := n.downloads.Fetch(ctx, req.URL, req.Name, func(p download.Progress) {
		events.send(api.SeedEvent{Hashed: p.Done, Total: max(p.Total, 0), Note: p.Note})
	})
	if errors.Is(err, download.ErrRefused) {
		err = fmt.Errorf("%w; the node's operator can allow a network with --web-allow PREFIX", err)
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	m, err := file.Manifest().WithWebSeeds(req.WebSeeds)
	if err != nil {
		return nil, "", err
	}
	var path string // once it is kept
	err = n.library.SeedHashed(ctx, m, func() (at string, err error) {
		path, err = file.Keep()
		return path, err
	})
	if c, _ := n.library.Content(m.ID()); path != "" && c.Path != path {
		// A complete copy was here before, or it could not be seeded.
		if err := file.Discard(); err != nil {
			n.log.Warn("could not remove a download that is not needed", "path", path, "err", err)
		}
	}
	if err != nil {
		return nil, "", err
	}
	if !file.Ranges() {
		warning = "the server at this URL does not serve parts of files, so nodes cannot fall back on it"
	}
	return m, warning, nil
}

// sweepDownloads makes room that contents took which are gone.
func (n *Node) sweepDownloads() {
	err := n.downloads.Sweep(func(id shoal.ContentID) bool {
		_, err := n.library.Content(id)
		return err == nil
	})
	if err != nil {
		n.log.Warn("could not remove all downloads that are not used any more", "err", err)
	}
}

// readable gives a kind to what the caller's own path caused, so that it is
// told what is wrong with it.
func readable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", shoal.ErrInvalid, err)
	}
	return err
}

// eventStream is an answer of one JSON object a line, each sent at once. Its
// methods are called by one goroutine at a time.
type eventStream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	begun bool
}

// newEventStream lifts the limits on how long a request may take: what counts
// from here on is that each event can be delivered.
func newEventStream(w http.ResponseWriter) *eventStream {
	s := &eventStream{w: w, rc: http.NewResponseController(w)}
	_ = s.rc.SetReadDeadline(time.Time{}) // reading goes on only to see whether the caller is there
	_ = s.rc.SetWriteDeadline(time.Time{})
	return s
}

// fail is the last event where something went wrong on the way.
func (s *eventStream) fail(err error) {
	ev := api.SeedEvent{Error: err.Error()}
	if p := tapi.ProblemOf(err); p.Status < http.StatusInternalServerError || errors.Is(err, shoal.ErrUnavailable) {
		ev.Kind = p.Kind
	}
	s.send(ev)
}

// send ignores failures: a caller that is gone ends the request's context.
func (s *eventStream) send(ev api.SeedEvent) {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.Header().Set("X-Content-Type-Options", "nosniff")
	}
	_ = s.rc.SetWriteDeadline(time.Now().Add(requestTime))
	_ = json.NewEncoder(s.w).Encode(ev)
	_ = s.rc.Flush()
	_ = s.rc.SetWriteDeadline(time.Time{})
}
