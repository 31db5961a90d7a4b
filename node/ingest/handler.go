package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/tus"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	answerTime = 30 * time.Second // to take an answer
	restTime   = 5 * time.Second  // for the rest of a body that is not wanted any more
	roomTime   = 10 * time.Second // that a request waits for memory
	deleteTime = 10 * time.Second // that a request waits for an upload to be deleted
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
	if err := s.delete(r.Context(), task); err != nil {
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
