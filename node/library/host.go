package library

import (
	"context"
	"fmt"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
)

// ArrivingSession is a content's part in its swarm while the content arrives from
// outside of it: a [swarm.Swarm].
type ArrivingSession interface {
	Session
	// Deliver verifies a piece and stores it; see [swarm.Swarm.Deliver].
	Deliver(ctx context.Context, piece int, data []byte) error
}

// Hosted is a content that somebody else keeps and fills. It is safe for concurrent use.
type Hosted struct{ u *unit }

// Host serves a content that the caller keeps, from wherever it keeps it and
// while pieces are missing (B3): what [Hosted.Deliver] brings goes on to others
// at once. c is used until End or the library's Close has returned: when all
// pieces are there its Publish is called, after which InPlace says whether the
// node is the content's origin, and it stays in the swarm without a break. Its Close
// only says that it is not used for now. Nothing of it is kept over a restart.
//
// [shoal.ErrConflict] where the content is in the library already.
func (l *Library) Host(ctx context.Context, c store.Content) (*Hosted, error) {
	id := c.Manifest().ID()
	if err := l.op.lockBefore(ctx); err != nil {
		return nil, err
	}
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return nil, fmt.Errorf("host %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	if l.find(id) != nil {
		return nil, fmt.Errorf("host %s: %w: the content is on this node already", id.Short(), shoal.ErrConflict)
	}
	u := newUnit(l, id, record{}, false)
	u.hosted, u.manifest = c, c.Manifest()
	l.enter(u)
	u.start()
	l.cfg.Changed()
	select {
	case <-u.ready:
		if err := u.failure(); err != nil {
			l.evict(u)
			return nil, fmt.Errorf("host %s: %w", id.Short(), err)
		}
		return &Hosted{u}, nil
	case <-ctx.Done():
		l.evict(u)
		return nil, context.Cause(ctx)
	}
}

// Deliver verifies a piece, has the content's WritePiece store it, and tells peers. After nil
// it is stored, or another copy of it is just being stored. [shoal.ErrCorrupt] where it
// does not verify, [shoal.ErrUnavailable] while the content is in no swarm that pieces arrive in.
func (h *Hosted) Deliver(ctx context.Context, piece int, data []byte) error {
	h.u.mu.Lock()
	s, ok := h.u.session.(ArrivingSession)
	h.u.mu.Unlock()
	if !ok {
		return fmt.Errorf("deliver piece %d: %w: the content is in no swarm", piece, shoal.ErrUnavailable)
	}
	return s.Deliver(ctx, piece, data)
}

// Running reports whether the content is served; false after a failure.
func (h *Hosted) Running() bool { return h.u.failure() == nil }

// End takes the content out of the library and waits until nothing of it is used. Ending
// twice is no error.
func (h *Hosted) End() {
	l := h.u.lib
	l.op.Lock()
	defer l.op.Unlock()
	if l.find(h.u.id) == h.u {
		l.evict(h.u)
	}
}

// evict stops a unit that is hosted and forgets it. The caller holds op.
func (l *Library) evict(u *unit) {
	u.halt(errRemoved)
	l.forget(u)
	if err := l.records.Delete(u.id.String()); err != nil {
		l.cfg.Log.Warn("could not delete the counters of a content", "content", u.id, "err", err)
	}
}

// join makes the content a part of its swarm.
func (u *unit) join(c store.Content, st swarm.Store) (Session, error) {
	if u.hosted != nil && !c.InPlace() {
		s, err := u.lib.cfg.Arrive(c.Manifest(), st)
		if err != nil {
			return nil, err // not s: it may be a nil of another type
		}
		return s, nil
	}
	return u.lib.cfg.Join(c.Manifest(), st, c.InPlace())
}
