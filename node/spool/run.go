package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	lookEvery = 2 * time.Second // at the spool, beside what the kernel tells
	retryMin  = 5 * time.Second // after an item failed in a way that passes
	retryMax  = time.Minute
	sweepAge  = time.Hour          // of what belongs to no item
	keepDone  = 7 * 24 * time.Hour // records of items that are done
)

// Run sends what is in the spool, one item after the other and the oldest first,
// until ctx ends, or, if once is set, until nothing is left to send. What
// failed for a reason that passes is tried again later, without holding up the others.
// Where another Run has the spool, the error is of kind [shoal.ErrConflict].
func (s *Spool) Run(ctx context.Context, c Sending, once bool) error {
	unlock, err := s.lock(runnerLock)
	if err != nil {
		return err
	}
	defer unlock()
	s.sweep(ctx)
	changes, stop := s.changes()
	defer stop()
	retry := map[string]attempt{}
	for {
		items, _, err := s.List()
		if err != nil {
			return err
		}
		it, left := next(items, retry, time.Now())
		switch {
		case it != nil:
			rep, err := s.Send(ctx, it.Task, c)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			retry[it.Task] = retry[it.Task].failed(time.Now())
			if c.Ended != nil {
				c.Ended(*it, rep, err)
			}
			continue
		case once && !left:
			return nil
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-changes:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// attempt is when an item is tried again.
type attempt struct {
	at    time.Time
	pause time.Duration
}

func (a attempt) failed(now time.Time) attempt {
	pause := min(max(2*a.pause, retryMin), retryMax)
	return attempt{now.Add(pause), pause}
}

// next is the item to send now; nil where none is due, and then left says
// whether some will be.
func next(items []Item, retry map[string]attempt, now time.Time) (due *Item, left bool) {
	for i, it := range items {
		if it.over() {
			continue
		}
		left = true
		if !retry[it.Task].at.After(now) {
			return &items[i], true
		}
	}
	return nil, left
}

// changes tells, not more often than it is asked, that something in the spool
// changed. Where the kernel does not say, looking now and then has to do.
func (s *Spool) changes() (<-chan struct{}, func()) {
	w, err := watchFolder(s.dir)
	if err != nil {
		return nil, func() {}
	}
	return w.changes, w.close
}

// folderWatch tells of changes in a folder.
type folderWatch struct {
	changes <-chan struct{}
	close   func()
}

func watchFolder(dir string) (folderWatch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return folderWatch{}, fmt.Errorf("watch %s: %w", dir, err)
	}
	if err := w.Add(dir); err != nil {
		w.Close()
		return folderWatch{}, fmt.Errorf("watch %s: %w", dir, err)
	}
	changes := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if strings.HasSuffix(e.Name, newSuffix) {
					continue
				}
			case _, ok := <-w.Errors: // an overflow is a change too
				if !ok {
					return
				}
			}
			select {
			case changes <- struct{}{}:
			default: // nobody has looked since the last one
			}
		}
	}()
	return folderWatch{changes, func() { w.Close(); <-done }}, nil
}

// sweep removes what crashes left, and records of what was done long ago and is
// no longer where it came from: as long as it is, the record keeps a watched
// folder from sending it again.
func (s *Spool) sweep(ctx context.Context) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < sweepAge || e.Name() == runnerLock {
			continue
		}
		if strings.HasSuffix(e.Name(), newSuffix) {
			_ = s.root.Remove(e.Name()) // if it stays, the next write takes its place
			continue
		}
		task, _, _ := strings.Cut(e.Name(), ".")
		if tapi.CheckTaskID(task) != nil {
			continue
		}
		it, err := s.Item(task)
		gone := errors.Is(err, shoal.ErrNotFound)
		if err == nil && it.State == Done && time.Since(it.Changed) > keepDone {
			print, _, err := upload.Fingerprint(ctx, it.Source)
			gone = err != nil || print != it.Origin
		}
		if gone {
			s.removeIdle(task)
		}
	}
}
