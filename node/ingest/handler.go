package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/tus"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	answerTime = 30 * time.Second // to take an answer
	restTime   = 5 * time.Second  // for the rest of a body that is not wanted any more
	roomTime   = 10 * time.Second // that a request waits for memory
	retryAfter = 5                // seconds
	maxList    = 1000
)

// Handler serves the protocol of package api, and tus.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // until there is something to write
			if err := h(w, r); err != nil {
				s.refuse(w, r, err)
			}
		})
	}
	route("POST "+api.Path, s.post)
	route("GET "+api.Path, s.list)
	route("GET "+api.Path+"/{task}", s.get)
	route("DELETE "+api.Path+"/{task}", s.cancel)
	route("PUT "+api.Path+"/{task}/chunks/{chunks}", s.putChunks)
	route("POST "+api.Path+"/{task}/complete", s.complete)
	mux.Handle(tus.Path, s.tus)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answering(w)
		tapi.ProblemOfStatus(http.StatusNotFound, fmt.Sprintf("%s %s: no such operation", r.Method, r.URL.Path)).Write(w)
	})
	return mux
}

func (s *Service) post(w http.ResponseWriter, r *http.Request) error {
	b, free, err := s.description(w, r)
	defer free()
	if err != nil {
		return fmt.Errorf("description: %w", err)
	}
	d, err := uploads.DecodeDescription(b)
	if err != nil {
		return err
	}
	u, created, err := s.cfg.Store.Create(d)
	if err != nil {
		return err
	}
	s.attend(u).host(r.Context())
	if err := u.Sync(r.Context()); err != nil {
		s.log.Debug("sync before a status failed", "upload", u.Task(), "err", err) // the status tells what is missing
	}
	st, code := s.status(u), http.StatusOK
	if created {
		s.log.Info("upload begins", "upload", st.Task, "name", st.Name, "size", st.Size)
		code = http.StatusCreated
	}
	reply(w, code, st)
	return nil
}

func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	all, err := s.cfg.Store.List()
	if err != nil {
		return err
	}
	list := make([]api.Status, 0, len(all))
	for _, u := range all[:min(len(all), maxList)] {
		st := s.status(u)
		st.Missing = []api.Run{}
		list = append(list, st)
	}
	reply(w, http.StatusOK, list)
	return nil
}

func (s *Service) get(w http.ResponseWriter, r *http.Request) error {
	u, err := s.cfg.Store.Get(r.PathValue("task"))
	if err != nil {
		return err
	}
	if err := u.Sync(r.Context()); err != nil {
		s.log.Debug("sync before a status failed", "upload", u.Task(), "err", err)
	}
	reply(w, http.StatusOK, s.status(u))
	return nil
}

func (s *Service) cancel(w http.ResponseWriter, r *http.Request) error {
	task := r.PathValue("task")
	if err := s.delete(task); err != nil {
		return err
	}
	s.log.Info("upload deleted", "upload", task)
	answering(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) complete(w http.ResponseWriter, r *http.Request) error {
	u, err := s.cfg.Store.Get(r.PathValue("task"))
	if err != nil {
		return err
	}
	a := s.attend(u)
	ctx, cancel := context.WithTimeoutCause(r.Context(), api.CompleteWait, errLater)
	defer cancel()
	err = a.complete(ctx)
	switch {
	case errors.Is(err, errLater):
		reply(w, http.StatusAccepted, s.status(u))
		return nil
	case errors.Is(err, uploads.ErrIncomplete):
		p := api.ProblemOf(err)
		p.Missing, p.Next = u.Missing(0, u.Chunks())
		return p
	case err != nil:
		return err
	}
	s.settled(ctx, a)
	s.log.Info("upload complete", "upload", u.Task(), "content", u.Manifest().ID())
	reply(w, http.StatusOK, s.status(u))
	return nil
}

// errLater is why a request does not wait any longer.
var errLater = errors.New("it takes longer")

// settled waits a little until the tracker knows the content and that it is here, so that a task
// created next finds its origin.
func (s *Service) settled(ctx context.Context, a *active) {
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	select {
	case <-a.published:
	case <-ctx.Done():
		return
	}
	if s.cfg.Announce != nil {
		_ = s.cfg.Announce(ctx) // it is served in any case
	}
}

// reserve takes n bytes of the memory for bodies; free gives them back.
func (s *Service) reserve(ctx context.Context, n int64) (free func(), err error) {
	n = min(n, memory)
	if err := acquire(ctx, s.memory, n); err != nil {
		return nil, err
	}
	return func() { s.memory.Release(n) }, nil
}

// acquire waits for n bytes of room, but not for long.
func acquire(ctx context.Context, room *semaphore.Weighted, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	if room.Acquire(ctx, n) != nil {
		return errBusy
	}
	return nil
}

// answering bounds how long an answer takes, and the rest of the request's body, of which package http
// reads a part before it sends the answer.
func answering(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(answerTime))
	_ = rc.SetReadDeadline(time.Now().Add(restTime))
}

func reply(w http.ResponseWriter, status int, v any) {
	answering(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other side is gone: nobody to tell
}

var (
	errBusy  = fmt.Errorf("%w: too many requests at the moment", shoal.ErrUnavailable)
	errLong  = fmt.Errorf("%w: longer than it may be", shoal.ErrInvalid)
	errSlow  = fmt.Errorf("%w: the body does not keep coming", shoal.ErrUnavailable)
	errShort = fmt.Errorf("%w: the body ends too early", shoal.ErrInvalid)
)

// statuses are those of errors that their kind does not tell.
var statuses = []struct {
	err    error
	status int
}{
	{uploads.ErrFull, http.StatusInsufficientStorage},
	{uploads.ErrTooMany, http.StatusTooManyRequests},
	{uploads.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{errLong, http.StatusRequestEntityTooLarge},
	{errSlow, http.StatusRequestTimeout},
}

// refuse answers with a problem.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	answering(w)
	p := *api.ProblemOf(err)
	for _, known := range statuses {
		if errors.Is(err, known.err) {
			p.Problem.Status, p.Title = known.status, http.StatusText(known.status)
			break
		}
	}
	switch p.Problem.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInsufficientStorage:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusInternalServerError:
		if errors.Is(err, os.ErrClosed) || r.Context().Err() != nil { // the node stops, or nobody is there
			p = *api.ProblemOf(errBusy)
			break
		}
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	p.Write(w)
}
