package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/tus"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	"github.com/shoal-cdn/shoal/node/store"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Library is what contents are hosted by: a node's library.
type Library interface {
	// Host serves c while it arrives; see [library.Library.Host] of package node/library.
	Host(ctx context.Context, c store.Content) (Hosted, error)
}

// Hosted is a content that is being served.
type Hosted interface {
	Deliver(ctx context.Context, piece int, data []byte) error
	Running() bool // false after a failure
	End()          // waits until nothing of the content is used; more than once is no error
}

// Tracker is what is told of contents: a tracker's client.
type Tracker interface {
	PutContent(ctx context.Context, torrent []byte) (tapi.Content, error)
	CreateTask(ctx context.Context, t tapi.NewTask) (tapi.Task, error)
	Nodes(ctx context.Context) ([]tapi.Node, error)
}

// Config is what a service works with. Store, Library and Tracker are required.
type Config struct {
	Store   *uploads.Store
	Library Library
	Tracker Tracker
	Name    string // of the node

	// Drop, unless nil, is a folder that is looked at too.
	Drop *Drop

	// Announce, unless nil, returns once the tracker knows what the node holds now.
	Announce func(ctx context.Context) error

	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

const (
	maxRequests = 256                                          // of chunks, under way
	described   = 3 * (api.MaxDescriptionBytes + describeStep) // for descriptions: the largest one, and what is decoded of it
	sweepEvery  = time.Hour
	followEvery = 500 * time.Millisecond // looks for what other servers have done
	finishEvery = time.Minute            // looks for tus uploads that are whole and could not be finished
)

// Service is an ingest service. It is safe for concurrent use.
type Service struct {
	cfg      Config
	log      *slog.Logger
	requests chan struct{}       // a place for each request of chunks
	memory   *semaphore.Weighted // see stage
	checking *semaphore.Weighted // see stage
	describe *semaphore.Weighted // memory for descriptions
	tus      *tus.Server

	ctx     context.Context // ends with Close
	stop    context.CancelCauseFunc
	working sync.WaitGroup

	mu     sync.Mutex
	active map[string]*active // by task
}

// New makes a service, which answers requests from then on. It must be closed.
func New(cfg Config) (s *Service, err error) {
	s = &Service{
		cfg: cfg, log: cfg.Log, requests: make(chan struct{}, maxRequests), memory: semaphore.NewWeighted(memory),
		checking: semaphore.NewWeighted(checking),
		describe: semaphore.NewWeighted(described),
		active:   make(map[string]*active),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.tus, err = tus.New(tus.Config{Store: cfg.Store, Context: s.ctx, Idle: cfg.Store.Idle(), Adopted: func(u *uploads.Upload) {
		s.log.Info("upload complete", "upload", u.Task(), "content", u.Manifest().ID())
		s.attend(u).host(s.ctx)
	}})
	return s, err
}

// attend returns what the service has to do with an upload.
func (s *Service) attend(u *uploads.Upload) *active {
	s.mu.Lock()
	a := s.active[u.Task()]
	if a != nil && a.u == u {
		s.mu.Unlock()
		return a
	}
	fresh := newActive(s, u)
	s.active[u.Task()] = fresh
	s.mu.Unlock()
	if a != nil {
		a.close() // it was of an upload that is gone
	}
	return fresh
}

// leave ends what the service has to do with an upload. It does not wait.
func (s *Service) leave(a *active) {
	s.mu.Lock()
	if s.active[a.u.Task()] == a {
		delete(s.active, a.u.Task())
	}
	s.mu.Unlock()
	a.close()
}

// delete deletes an upload, once it is not hosted any more.
func (s *Service) delete(ctx context.Context, task string) error {
	s.mu.Lock()
	a := s.active[task]
	s.mu.Unlock()
	if a != nil {
		ctx, cancel := context.WithTimeout(ctx, deleteTime)
		defer cancel()
		select {
		case <-a.close():
			defer s.leave(a)
		case <-ctx.Done():
			s.working.Go(func() { // it stays, and is attended to anew
				<-a.close()
				s.leave(a)
			})
			return fmt.Errorf("upload %s: %w: the node still uses it", task, shoal.ErrUnavailable)
		}
	}
	return s.cfg.Store.Delete(task)
}

// status describes an upload.
func (s *Service) status(u *uploads.Upload) api.Status {
	st := u.Status()
	st.Server = s.cfg.Name
	s.mu.Lock()
	a := s.active[u.Task()]
	s.mu.Unlock()
	if a != nil {
		st.Error = a.trouble()
	}
	st.Distributed = u.Distribute() != nil && u.Distributed()
	return st
}

// Close ends everything that the service does by itself, and hosts nothing any more. The store is the caller's.
func (s *Service) Close() error {
	s.stop(os.ErrClosed)
	s.working.Wait()
	return nil
}
