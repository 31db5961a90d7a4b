package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// refreshAge is for which what is known of other processes is good for [Store.Recent].
const refreshAge = time.Second

// Recent is Get without looking at the disk where that was done a moment ago.
func (s *Store) Recent(task string) (*Upload, error) {
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil && time.Since(time.Unix(0, u.refreshed.Load())) < refreshAge {
		return u, nil
	}
	return s.Get(task)
}

// Get returns an upload as it is now, whoever has changed it: [shoal.ErrNotFound] where there is none.
func (s *Store) Get(task string) (*Upload, error) {
	if err := tapi.CheckTaskID(task); err != nil {
		return nil, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.ctx.Err() != nil {
		return nil, os.ErrClosed
	}
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil {
		now, err := s.root.Stat(filepath.Join(task, descriptionFile))
		switch {
		case err == nil && same(now, u.self):
			return u, u.Refresh()
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			// It may well be there, and what it has of its own log cannot be read back.
			return nil, fmt.Errorf("upload %s: %w", task, err)
		}
		s.drop(u)
	}
	u, err := s.load(task)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[task] = u
	return u, nil
}

func (s *Store) load(task string) (*Upload, error) {
	u, err := s.openUpload(task)
	if err != nil && !errors.Is(err, shoal.ErrNotFound) {
		return nil, fmt.Errorf("upload %s: %w", task, err)
	}
	return u, err
}

// drop lets go of an upload that is not there any more. The caller holds opening.
func (s *Store) drop(u *Upload) {
	s.mu.Lock()
	delete(s.open, u.rec.Task)
	delete(s.known, u.rec.Task)
	s.mu.Unlock()
	u.end(s.ctx, fmt.Errorf("upload %s: %w: it was deleted", u.rec.Task, shoal.ErrNotFound))
}

// List returns all uploads, newest first. Those that cannot be read are left out.
func (s *Store) List() ([]*Upload, error) {
	all, err := names(s.root)
	if err != nil {
		return nil, fmt.Errorf("upload store: %w", err)
	}
	var list []*Upload
	for _, name := range all {
		if tapi.CheckTaskID(name) != nil {
			continue
		}
		u, err := s.Get(name)
		if err == nil {
			list = append(list, u)
		} else if !errors.Is(err, shoal.ErrNotFound) {
			s.cfg.Log.Warn("unreadable upload", "err", err)
		}
	}
	slices.SortFunc(list, func(a, b *Upload) int {
		if c := b.rec.Created.Compare(a.rec.Created); c != 0 {
			return c
		}
		return strings.Compare(a.rec.Task, b.rec.Task)
	})
	return list, nil
}
