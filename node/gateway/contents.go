package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// openTime is for a content's manifest to be found.
	openTime = 20 * time.Second

	// maxTorrents is how many .torrent files are made and sent at a time, and to one
	// client, which may be slow: one takes up to [shoal.MaxTorrentSize] of memory.
	maxTorrents     = 8
	maxTorrentsEach = 1

	// immutable: what a content's ID names never changes.
	immutable = "max-age=31536000, immutable"
)

// torrentTime is how long a client has to take a .torrent file of n bytes, of
// which there are few places for: half a minute, and what it takes at 128 KiB/s.
func torrentTime(n int) time.Duration {
	return 30*time.Second + time.Duration(n)*time.Second/(128<<10)
}

// cutContents returns what follows prefix in a request's path, escaped. The path is
// not cleaned first, as a mux does, which would lead clients astray by redirects:
// one with empty segments or dots in it names nothing.
func cutContents(r *http.Request) (under string, ok bool) {
	return strings.CutPrefix(r.URL.EscapedPath(), prefix)
}

func (g *Gateway) serveContents(w http.ResponseWriter, r *http.Request, under string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "contents are read-only")
		return
	}
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// The server would read it, at the client's pace, before the next request.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusBadRequest, "a body has no meaning here")
		return
	}
	to, ok := parseRoute(under)
	if !ok {
		notFound(w)
		return
	}
	a := g.answer(w, r, to.id)
	defer a.finish()
	c, err := g.open(r.Context(), to.id)
	if err != nil {
		a.err = err
		return
	}
	switch to.what {
	case theList:
		a.err = serveList(a, r, c.Manifest())
	case theTorrent:
		g.serveTorrent(a, r, c.Manifest())
	case aFile:
		g.serveFile(a, r, c, to.path) // which closes c
		return
	}
	g.closed(to.id, c.Close())
}

func (g *Gateway) open(ctx context.Context, id shoal.ContentID) (Content, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, fmt.Errorf("%w: no manifest in %v", shoal.ErrUnavailable, openTime))
	defer cancel()
	c, err := g.library.Open(ctx, id)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return c, err
}

// serveFile answers with a file of a content, and closes the content.
func (g *Gateway) serveFile(a *answer, r *http.Request, c Content, path string) {
	m := c.Manifest()
	file, ok := findFile(m, path)
	if !ok {
		a.err = fmt.Errorf("file %q: %w", path, shoal.ErrNotFound)
		g.closed(a.id, c.Close())
		return
	}
	h := a.Header()
	h.Set("Content-Type", typeOf(path))
	h.Set("Etag", etag(m, file))
	h.Set("Cache-Control", immutable)
	h.Set("X-Content-Type-Options", "nosniff")
	r = boundRanges(r, m.Files()[file].Length)

	rd := newReader(r.Context(), c, file)
	defer func() { g.closed(a.id, rd.close()) }()
	var body io.ReadSeeker = rd
	if r.Method == http.MethodGet {
		if f, ok := c.File(file); ok {
			defer f.Close()
			body = f
		}
	}
	http.ServeContent(a, r, "", time.Time{}, body)
}

func (g *Gateway) serveTorrent(a *answer, r *http.Request, m *shoal.Manifest) {
	leave, ok := g.torrents.enter(r.RemoteAddr)
	if !ok {
		a.err = fmt.Errorf("%w: enough .torrent files are being sent", shoal.ErrUnavailable)
		return
	}
	defer leave()
	h := a.Header()
	h.Set("Content-Type", "application/x-bittorrent")
	h.Set("Etag", strconv.Quote(m.ID().String()+"-torrent"))
	h.Set("Cache-Control", immutable)
	h.Set("X-Content-Type-Options", "nosniff")
	torrent := m.Torrent()
	a.until = time.Now().Add(torrentTime(len(torrent)))
	http.ServeContent(a, boundRanges(r, int64(len(torrent))), "", time.Time{}, bytes.NewReader(torrent))
}
