package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
)

// postSeed hashes, registers and serves a path, and tells how far it is, one
// JSON object a line. What fails before there is anything to tell is answered
// with a problem, as everywhere else.
func (n *Node) postSeed(w http.ResponseWriter, r *http.Request) {
	var req api.Seed
	err := decode(r, &req)
	if err == nil && !filepath.IsAbs(req.Path) {
		err = fmt.Errorf("seed %q: %w: want an absolute path in the node's file system", req.Path, shoal.ErrInvalid)
	}
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	events := newEventStream(w)
	m, err := n.library.Seed(r.Context(), req.Path, func(hashed, total int64) {
		events.send(api.SeedEvent{Hashed: hashed, Total: total})
	})
	switch {
	case err != nil && !events.begun:
		n.refuse(w, r, readable(err))
	case err != nil:
		n.log.Warn("seeding failed", "path", req.Path, "err", err)
		events.send(api.SeedEvent{Error: err.Error()})
	default:
		n.tellTracker(r.Context(), m.ID())
		events.send(api.SeedEvent{Hashed: m.Size(), Total: m.Size(), Done: &api.Seeded{
			Content: m.ID(), Name: m.Name(), Size: m.Size(), Pieces: m.NumPieces(), PieceLength: m.PieceLength(),
		}})
	}
}

// tellTime bounds how long a seed waits for the tracker to know its origin.
const tellTime = 5 * time.Second

// tellTracker waits until the tracker knows that the content is here, so that a
// task created next finds its origin. The content is served in any case.
func (n *Node) tellTracker(ctx context.Context, id shoal.ContentID) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	if err := n.announcer.Flush(ctx); err != nil {
		n.log.Warn("the tracker does not know yet that the content is here", "content", id, "err", err)
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
