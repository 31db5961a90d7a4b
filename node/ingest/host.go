package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	hostAgain = 10 * time.Second // after which hosting is tried again where it failed
	hostWait  = 2 * time.Second  // that somebody waits for an attempt, from its begin
)

// attempt is one to host an upload.
type attempt struct {
	begun time.Time
	done  chan struct{} // closed at its end
}

// host sees to it that the content is hosted and the tracker told of it, where its manifest is known.
// A failure is in nobody's way: it is tried again. Nor is a library that has something else to do: host
// waits a little, and the attempt goes on.
func (a *active) host(ctx context.Context) {
	t := a.hostSoon()
	if t == nil {
		return
	}
	enough := time.NewTimer(time.Until(t.begun.Add(hostWait)))
	defer enough.Stop()
	select {
	case <-t.done:
	case <-enough.C:
	case <-ctx.Done():
	}
}

// hostSoon is host without waiting. The attempt is nil where there is nothing to do.
func (a *active) hostSoon() *attempt {
	if a.u.Manifest() == nil {
		return nil
	}
	a.publish()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ctx.Err() != nil || a.hosted != nil && a.hosted.Running():
		return nil
	case a.attempt != nil:
		return a.attempt
	}
	t := &attempt{begun: time.Now(), done: make(chan struct{})}
	a.attempt = t
	before := a.hosted
	a.s.working.Go(func() { a.tryHosting(t, before) })
	return t
}

// tryHosting is an attempt's goroutine; before is what failed earlier, nil for nothing.
func (a *active) tryHosting(t *attempt, before Hosted) {
	if before != nil {
		before.End()
	}
	told := a.u.Pieces() // before the swarm asks, so that no piece in between is missed
	h, err := a.s.cfg.Library.Host(a.ctx, &content{a: a, m: a.u.Manifest()})
	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(t.done)
	a.attempt, a.hosted, a.told, a.elsewhere = nil, nil, nil, errors.Is(err, shoal.ErrConflict)
	if err != nil {
		a.tried = time.Now()
		a.s.log.Debug("an upload is not hosted", "upload", a.u.Task(), "err", err)
		return
	}
	a.hosted, a.told = h, told
}

// served reports whether the node serves the content, from here or from elsewhere.
func (a *active) served() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.elsewhere || a.hosted != nil && a.hosted.Running()
}
