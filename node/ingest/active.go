package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// hostAgain is after which hosting is tried again where it failed.
const hostAgain = 10 * time.Second

// active is an upload that the service has to do with: it hosts it and tells the tracker of it.
type active struct {
	s   *Service
	u   *uploads.Upload
	ctx context.Context // ends with close

	cancel  context.CancelCauseFunc
	hosting chan struct{} // capacity 1: held by whoever starts or ends hosting
	finish  chan struct{} // capacity 1: held by whoever completes it

	mu        sync.Mutex
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
	a := &active{s: s, u: u, hosting: make(chan struct{}, 1), finish: make(chan struct{}, 1), published: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancelCause(s.ctx)
	return a
}

var errLeft = errors.New("the upload is gone")

// close ends hosting and whatever else is done for the upload.
func (a *active) close() {
	a.cancel(errLeft)
	a.hosting <- struct{}{}
	defer func() { <-a.hosting }()
	a.mu.Lock()
	h := a.hosted
	a.hosted = nil
	a.mu.Unlock()
	if h != nil {
		h.End()
	}
}

// host sees to it that the content is hosted and the tracker told of it, where its manifest is known.
// A failure is in nobody's way: it is tried again.
func (a *active) host(ctx context.Context) {
	if a.u.Manifest() == nil {
		return
	}
	a.publish()
	if a.running() {
		return
	}
	select {
	case a.hosting <- struct{}{}:
		defer func() { <-a.hosting }()
	case <-ctx.Done():
		return
	}
	a.mu.Lock()
	before := a.hosted
	a.mu.Unlock()
	switch {
	case a.ctx.Err() != nil || before != nil && before.Running():
		return
	case before != nil:
		before.End()
	}
	told := a.u.Pieces() // before the swarm asks, so that no piece in between is missed
	h, err := a.s.cfg.Library.Host(a.ctx, &content{a: a, m: a.u.Manifest()})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosted, a.told, a.elsewhere = nil, nil, errors.Is(err, shoal.ErrConflict)
	if err != nil {
		a.tried = time.Now()
		a.s.log.Debug("an upload is not hosted", "upload", a.u.Task(), "err", err)
		return
	}
	a.hosted, a.told = h, told
}

func (a *active) running() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosted != nil && a.hosted.Running()
}

// served reports whether the node serves the content, from here or from elsewhere.
func (a *active) served() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.elsewhere || a.hosted != nil && a.hosted.Running()
}

// tell has the swarm know a piece that is held. What it does not get to know now, follow tells it.
func (a *active) tell(ctx context.Context, piece int, data []byte) {
	a.mu.Lock()
	h := a.hosted
	known := h == nil || a.told.Has(piece)
	a.mu.Unlock()
	if known || !h.Running() {
		return
	}
	if err := h.Deliver(ctx, piece, data); err != nil {
		a.s.log.Debug("a piece was not told", "upload", a.u.Task(), "piece", piece, "err", err)
		return
	}
	a.knows(h, piece)
}

func (a *active) knows(h Hosted, piece int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told != nil && a.hosted == h {
		a.told.Add(piece)
	}
}

// follow takes note of what other servers have done for the upload.
func (a *active) follow(ctx context.Context) error {
	if a.atRest(time.Now()) {
		return nil
	}
	if err := a.u.Refresh(); err != nil {
		return err
	}
	a.mu.Lock()
	h, told, tried := a.hosted, a.told, a.tried
	if told != nil {
		told = told.Clone()
	}
	a.mu.Unlock()
	if h == nil || !h.Running() {
		if time.Since(tried) >= hostAgain {
			a.mu.Lock()
			a.tried = time.Now()
			a.mu.Unlock()
			a.host(ctx)
		}
		return nil
	}
	if told.Full() {
		return nil
	}
	for piece := range a.u.Pieces().AndNot(told) {
		data, err := a.u.ReadPiece(piece)
		if err != nil {
			return err
		}
		a.tell(ctx, piece, data)
	}
	return nil
}

// restEvery is how often an upload is looked at that is complete, and of which the swarm knows all.
const restEvery = 30 * time.Second

// atRest reports whether there is nothing to look for now, since the only thing that can still happen
// is that the upload is deleted.
func (a *active) atRest(now time.Time) bool {
	complete := a.u.Complete()
	a.mu.Lock()
	defer a.mu.Unlock()
	if complete && a.hosted != nil && a.hosted.Running() && a.told.Full() && now.Sub(a.looked) < restEvery {
		return true
	}
	a.looked = now
	return false
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
