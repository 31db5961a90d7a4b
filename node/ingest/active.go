package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// active is an upload that the service has to do with: it hosts it and tells the tracker of it.
type active struct {
	s   *Service
	u   *uploads.Upload
	ctx context.Context // ends with close

	cancel  context.CancelCauseFunc
	closing sync.Once
	closed  chan struct{}
	finish  chan struct{} // capacity 1: held by whoever completes it

	mu        sync.Mutex
	attempt   *attempt        // to host it; nil for none
	hosted    Hosted          // nil while it is not
	told      *shoal.PieceSet // pieces that the swarm knows; with hosted
	tried     time.Time       // when hosting failed last
	looked    time.Time       // when it was looked for what others have done
	elsewhere bool            // it failed since the node has the content otherwise
	telling   bool            // a goroutine tells the tracker
	published chan struct{}   // closed once the tracker knows the content
	refused   error           // what the tracker does not accept
}

func newActive(s *Service, u *uploads.Upload) *active {
	a := &active{s: s, u: u, finish: make(chan struct{}, 1), published: make(chan struct{}), closed: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancelCause(s.ctx)
	return a
}

var errLeft = fmt.Errorf("%w: the upload is being deleted", shoal.ErrNotFound)

// close begins to end hosting, and whatever else is done for the upload; closed is closed at the end. Closing
// twice is no error.
func (a *active) close() (closed <-chan struct{}) {
	a.closing.Do(func() {
		a.cancel(errLeft)
		a.s.working.Go(a.letGo)
	})
	return a.closed
}

// letGo is close's goroutine.
func (a *active) letGo() {
	defer close(a.closed)
	a.mu.Lock()
	t := a.attempt
	a.mu.Unlock()
	if t != nil {
		<-t.done
	}
	a.mu.Lock()
	h := a.hosted
	a.hosted = nil
	a.mu.Unlock()
	if h != nil {
		h.End()
	}
}

// complete completes the upload and hosts it. It goes on after ctx has ended.
func (a *active) complete(ctx context.Context) error {
	select {
	case a.finish <- struct{}{}: // others wait here, and find it complete
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	a.s.working.Go(func() {
		defer func() { <-a.finish }()
		err := a.u.Finish(a.ctx)
		if err == nil {
			a.host(a.ctx)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
