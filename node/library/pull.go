package library

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Pull is a fetch that would begin because somebody reads the content. Figures
// are in bytes.
type Pull struct {
	Size   int64 // of the content
	Pulled int64 // what other contents take that were fetched for this reason alone
	Coming int64 // what all fetches under way have yet to bring
}

// pullPause is how long a content that failed is not tried again for readers.
const pullPause = 10 * time.Second

// pull starts the fetch of a content for a reader, unless it is under way. The
// content gets a folder of its own, named by its ID, unless some of it is here. Once
// the reader has begun, what is gone was removed, and stays away.
func (l *Library) pull(ctx context.Context, m *shoal.Manifest, begun bool) error {
	if err := l.op.lockBefore(ctx); err != nil {
		return err
	}
	defer l.op.Unlock()
	id := m.ID()
	if l.ctx.Err() != nil {
		return fmt.Errorf("fetch %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(id)
	if u == nil && begun {
		return fmt.Errorf("content %s: %w: it was removed", id.Short(), shoal.ErrUnavailable)
	}
	if u != nil {
		if running, err := u.resting(time.Now()); running || err != nil {
			return err
		}
	}
	if err := l.cfg.Pull(l.account(m)); err != nil {
		return fmt.Errorf("fetch %s for a reader: %w", id.Short(), err)
	}
	if u != nil {
		_, err := u.want("", false)
		return err
	}
	r := record{Dest: id.String(), Pulled: true, Size: m.Size()}
	if !m.IsFolder() {
		r.Dest = path.Join(id.String(), m.Name())
	}
	if err := l.records.Put(id.String(), r); err != nil {
		return err
	}
	u = newUnit(l, id, r, true)
	u.manifest = m
	l.enter(u)
	u.addPeers(l.met(id))
	u.start()
	l.cfg.Changed()
	l.cfg.Log.Info("fetching for a reader", "content", id, "name", m.Name())
	return nil
}

// account adds up what the pull of m is to be judged by.
func (l *Library) account(m *shoal.Manifest) Pull {
	p := Pull{Size: m.Size()}
	for _, u := range l.all() {
		if u.id == m.ID() {
			continue
		}
		pulled, coming := u.costs()
		p.Pulled += pulled
		p.Coming += coming
	}
	return p
}

// costs is a unit's share in the figures of [Pull].
func (u *unit) costs() (pulled, coming int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.inPlace {
		return 0, 0
	}
	size, here := u.rec.Size, u.rec.Size // as if all were here, while nobody has looked
	if u.manifest != nil {
		size = u.manifest.Size()
		here = min(size, int64(u.held().Count)*int64(u.manifest.PieceLength()))
	}
	if u.running && u.wanted {
		coming = size - here
	}
	if u.rec.Pulled {
		pulled = here + coming
	}
	return pulled, coming
}

// resting says why a reader must not set the unit going, if so.
func (u *unit) resting(now time.Time) (running bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.running:
		return true, nil
	case u.err == nil || errors.Is(u.err, errIdle):
		return false, nil
	case u.inPlace || now.Sub(u.failed) < pullPause:
		// Of no kind but this one: what was not found is not the content.
		return false, fmt.Errorf("content %s: %w: %v", u.id.Short(), shoal.ErrUnavailable, u.err)
	}
	return false, nil
}

// inTheWay reports whether the content was fetched for readers alone, to
// another place than dest.
func (u *unit) inTheWay(dest string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rec.Pulled && u.checkDest(dest) != nil
}

// adopt notes that the content is now wanted by others than readers.
func (u *unit) adopt() {
	u.mu.Lock()
	pulled := u.rec.Pulled
	u.rec.Pulled, u.rec.Size = false, 0
	u.mu.Unlock()
	if pulled {
		u.save()
	}
}

// presence is a unit's part in its swarm, at one moment.
type presence struct {
	running bool
	session Session       // nil while there is none
	pieces  swarm.Store   // with session
	ready   chan struct{} // while running: closed when there is a session, or none will be
	ended   chan struct{} // closed when session is over and the unit has let go of it
}

func (u *unit) presence() presence {
	u.mu.Lock()
	defer u.mu.Unlock()
	return presence{running: u.running, session: u.session, pieces: u.pieces, ready: u.ready, ended: u.ended}
}

// known is the manifest; nil while it is not.
func (u *unit) known() *shoal.Manifest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.manifest
}

// published is where the content is, where all of it is at its final place; not
// ok also for one in place.
func (u *unit) published() (at string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.at, u.complete && u.session != nil && !u.inPlace
}
