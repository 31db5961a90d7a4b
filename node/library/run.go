package library

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
)

// errIdle is why an incomplete content rests: nobody asks for the rest.
var errIdle = errors.New("incomplete, and nobody asks for the rest")

// run is the unit's goroutine from start to halt or failure. It calls ready,
// and closes ended, as their namesakes in unit say.
func (u *unit) run(ctx context.Context, ready func(), ended chan struct{}) {
	log := u.lib.cfg.Log.With("content", u.id)
	c, err := u.open(ctx)
	if err == nil {
		var s Session
		st := guarded{c, make(chan error, 1)}
		if s, err = u.join(c, st); err == nil {
			u.joined(s, st)
			ready()
			if err = u.fetch(ctx, c, s); err == nil {
				u.completed(c)
				log.Info("serving", "name", c.Manifest().Name(), "path", c.Path(), "origin", c.InPlace())
				u.lib.cfg.Ended(u.id, nil)
				err = serve(ctx, st, s)
			}
			s.Leave()
		}
		err = closeContent(c, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what went wrong while it stopped is no failure of the content
	}
	told := u.finished(err)
	ready()
	close(ended)
	if told {
		log.Warn("content failed", "err", err)
		u.lib.cfg.Ended(u.id, err)
	}
	u.lib.cfg.Changed()
}

// open brings the content to where a swarm can fill or read it.
func (u *unit) open(ctx context.Context) (store.Content, error) {
	if u.hosted != nil {
		u.opened(u.hosted.Manifest(), u.hosted)
		return u.hosted, nil
	}
	u.busy.Store(true)
	defer u.busy.Store(false)
	st := u.lib.cfg.Store
	var m *shoal.Manifest
	c, err := st.Open(u.id)
	switch {
	case err == nil:
		m = c.Manifest()
		u.opened(m, c)
		if c.Pieces().Full() {
			return c, nil
		}
		if c.InPlace() {
			return nil, closeContent(c, fmt.Errorf("%s: %w; seed it again", c.Path(), shoal.ErrChanged))
		}
		if err := closeContent(c, nil); err != nil {
			return nil, err
		}
	case errors.Is(err, shoal.ErrNotFound), errors.Is(err, shoal.ErrCorrupt):
	default:
		return nil, err
	}
	if u.rest() {
		return nil, errIdle
	}
	if m == nil {
		m = u.known()
	}
	if m == nil {
		u.busy.Store(false)
		if m, err = u.lib.manifest(ctx, u.id); err != nil {
			return nil, err
		}
		u.busy.Store(true)
	}
	u.mu.Lock()
	dest := u.rec.Dest
	u.mu.Unlock()
	if c, err = st.Create(m, dest); err != nil {
		return nil, err
	}
	u.opened(m, c)
	return c, nil
}

// fetch waits until all pieces are stored, and publishes them.
func (u *unit) fetch(ctx context.Context, c store.Content, s Session) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.Complete():
		u.busy.Store(true)
		defer u.busy.Store(false)
		return c.Publish()
	case <-s.Done():
		return endOf(s)
	}
}

// serve ends when the content is no longer whole, since others would go on
// asking for what is gone.
func serve(ctx context.Context, st guarded, s Session) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.Done():
			return endOf(s)
		case err := <-st.failed:
			if !st.Pieces().Full() {
				return err
			}
		}
	}
}

// guarded tells of a read that failed.
type guarded struct {
	store.Content
	failed chan error // capacity 1
}

func (g guarded) ReadAt(p []byte, piece int, off int64) error {
	err := g.Content.ReadAt(p, piece, off)
	if err != nil {
		select {
		case g.failed <- err:
		default: // there is one to look at
		}
	}
	return err
}

func endOf(s Session) error {
	if err := s.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the swarm was left", shoal.ErrCancelled)
}

// closeContent gives up the handle; err, where there is one, says more than
// what closing has to say.
func closeContent(c store.Content, err error) error {
	if closing := c.Close(); err == nil {
		return closing
	}
	return err
}

// rest ends the unit where nobody wants the content's missing pieces. The
// check and running change together, so that a want is either seen here or
// finds the unit at rest.
func (u *unit) rest() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.running = u.wanted
	return !u.wanted
}

// opened takes note of the content. Where it is is asked here, once: the
// store does not answer that while it publishes.
func (u *unit) opened(m *shoal.Manifest, c store.Content) {
	at, inPlace := c.Path(), c.InPlace()
	var received int64 // at least
	if u.hosted == nil && !inPlace {
		received = bytesOf(m, c.Pieces())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.manifest, u.content, u.at, u.inPlace = m, c, at, inPlace
	u.rec.Bytes = covering(u.rec.Bytes, received)
	if u.rec.Pulled {
		u.rec.Size = m.Size()
	}
}

func (u *unit) joined(s Session, st swarm.Store) {
	u.mu.Lock()
	u.session, u.pieces, u.err = s, st, nil
	early := u.early
	u.early = nil
	u.mu.Unlock()
	s.AddPeers(early)
	u.lib.cfg.Changed()
}

func (u *unit) completed(c store.Content) {
	inPlace := c.InPlace() // what is hosted becomes an origin now
	u.mu.Lock()
	u.complete, u.wanted, u.inPlace = true, false, inPlace
	u.rec.Wanted, u.rec.Error = false, ""
	u.mu.Unlock()
	u.save()
	u.lib.cfg.Changed()
}

// finished takes the session's last figures and the reason for the end. It
// reports whether that is news for who wanted the content.
func (u *unit) finished(err error) (failure bool) {
	u.mu.Lock()
	if u.session != nil {
		u.rec = u.rec.with(u.session)
		u.sent += u.session.Stats().Sent
		u.session, u.pieces = nil, nil
	}
	u.running = false
	failure = !errors.Is(err, ErrClosing) && !errors.Is(err, errRemoved) && !errors.Is(err, errRenewed) && !errors.Is(err, errIdle)
	switch {
	case failure:
		u.err, u.failed = err, time.Now()
		u.complete, u.wanted = false, false
		u.rec.Wanted, u.rec.Error = false, err.Error()
	case errors.Is(err, errIdle) && u.err == nil:
		u.err = err
	}
	u.mu.Unlock()
	if !errors.Is(err, errRemoved) {
		u.save()
	}
	return failure
}
