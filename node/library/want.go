package library

import (
	"errors"
	"fmt"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// Want has a content fetched, from scratch or from what is there, to dest: a
// relative path below the files folder, or "" for its own name or wherever it
// is. operator says that the request is to outlive a restart by itself.
// complete is true where the whole content is here already; otherwise
// Config.Ended is called when it is or cannot be. What was fetched for readers
// alone, and is elsewhere, is fetched anew.
//
// [shoal.ErrInvalid] where dest is no such path, [shoal.ErrConflict] where
// the content is, or is being fetched to, elsewhere.
func (l *Library) Want(id shoal.ContentID, dest string, operator bool) (complete bool, err error) {
	if dest != "" {
		if err := store.CheckDest(dest); err != nil {
			return false, err
		}
	}
	l.op.Lock()
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return false, fmt.Errorf("fetch %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(id)
	if u != nil && u.inTheWay(dest) {
		u.halt(errRemoved)
		if err := l.delete(u); err != nil {
			return false, err
		}
		u = nil
	}
	if u == nil {
		r := record{Dest: dest, Wanted: operator}
		if err := l.records.Put(id.String(), r); err != nil {
			return false, err
		}
		u = l.add(id, r, true)
		u.addPeers(l.met(id))
		u.start()
		l.cfg.Changed()
		return false, nil
	}
	complete, err = u.want(dest, operator)
	if err == nil {
		u.adopt()
	}
	return complete, err
}

// Drop ends a fetch that nobody wants any more and deletes what it has. A
// content that is complete, or that an operator asked for, stays.
func (l *Library) Drop(id shoal.ContentID) error {
	l.op.Lock()
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return fmt.Errorf("drop %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(id)
	if u == nil || u.keep() {
		return nil
	}
	u.halt(errRemoved)
	if u.keep() { // it completed just now
		u.start()
		return nil
	}
	return l.delete(u)
}

// Remove forgets a content and deletes its data, unless it was seeded in
// place. [shoal.ErrNotFound] where there is none of it.
func (l *Library) Remove(id shoal.ContentID) error {
	l.op.Lock()
	defer l.op.Unlock()
	u := l.find(id)
	if u == nil {
		return fmt.Errorf("content %s: %w on this node", id.Short(), shoal.ErrNotFound)
	}
	if u.hosted != nil {
		return fmt.Errorf("remove content %s: %w: it was uploaded; delete the upload", id.Short(), shoal.ErrConflict)
	}
	u.halt(errRemoved)
	return l.delete(u)
}

// delete removes a unit that has stopped. The caller holds op.
func (l *Library) delete(u *unit) error {
	err := l.cfg.Store.Delete(u.id)
	if err != nil && !errors.Is(err, shoal.ErrNotFound) {
		err = fmt.Errorf("remove content %s: %w", u.id.Short(), err)
		u.fail(err)
		return err
	}
	l.forget(u)
	l.cfg.Log.Info("content removed", "content", u.id)
	return l.records.Delete(u.id.String())
}

// forget takes a unit that has stopped out of the library. The caller holds op.
func (l *Library) forget(u *unit) {
	l.mu.Lock()
	delete(l.units, u.id)
	l.removed = l.removed.add(u.totals())
	l.mu.Unlock()
	l.cfg.Changed()
}
