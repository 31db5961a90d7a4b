package uploads

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// litterAge is after which what a process that died has left behind is taken away.
const litterAge = time.Hour

// Sweep deletes uploads that have made no progress for too long, and what crashes
// left behind; it returns the tasks of the uploads.
func (s *Store) Sweep(now time.Time) (deleted []string) {
	all, err := names(s.root)
	if err != nil {
		s.cfg.Log.Warn("could not look for abandoned uploads", "err", err)
		return nil
	}
	s.sweepScratch(now)
	if _, err := s.reserved(); err != nil {
		s.cfg.Log.Warn("could not look for old reservations", "err", err)
	}
	for _, name := range all {
		switch u, err := s.Get(name); {
		case strings.HasPrefix(name, gonePrefix):
			s.clean(name, now)
		case errors.Is(err, shoal.ErrNotFound) && tapi.CheckTaskID(name) == nil:
			s.clean(name, now) // it has no description
		case err == nil && u.idle(now) >= s.cfg.Limits.Idle:
			if err := s.Delete(name); err != nil {
				s.cfg.Log.Warn("could not delete an abandoned upload", "err", err)
				continue
			}
			deleted = append(deleted, name)
		}
	}
	return deleted
}

// idle is for how long there has been no progress; 0 for an upload that is complete or in use.
func (u *Upload) idle(now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() || u.using > 0 || u.running != nil || u.next != nil || len(u.completing) > 0 {
		return 0
	}
	return now.Sub(u.progress)
}

// Use keeps the upload from being deleted as idle in this process until end is called, once.
func (u *Upload) Use() (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.using++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.using--
	}
}

// clean removes a folder that is nobody's, once it is old.
func (s *Store) clean(name string, now time.Time) {
	info, err := s.root.Lstat(name)
	if err != nil || now.Sub(info.ModTime()) < litterAge {
		return
	}
	if ok, err := exists(s.root, filepath.Join(name, descriptionFile)); ok && !strings.HasPrefix(name, gonePrefix) || err != nil {
		return
	}
	if err := s.root.RemoveAll(name); err != nil {
		s.cfg.Log.Warn("could not remove what a crash left behind", "folder", name, "err", err)
	}
}
