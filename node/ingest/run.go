package ingest

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Run hosts what is in the store, follows what other servers do there, and deletes what is
// abandoned, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	s.sweep(time.Now())
	beside.Go(func() { s.finishTus(ctx) }) // it hashes: nothing else waits for that
	s.resume(ctx)
	if s.cfg.Drop != nil {
		beside.Go(func() { s.cfg.Drop.run(ctx, s) })
	}
	follow := time.NewTicker(followEvery)
	defer follow.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-follow.C:
			s.follow(ctx)
		case now := <-sweep.C:
			s.sweep(now)
		}
	}
}

// resume hosts all uploads that can be.
func (s *Service) resume(ctx context.Context) {
	all, err := s.cfg.Store.List()
	if err != nil {
		s.log.Error("could not read the uploads", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hostWait) // for all of them: a library that is busy has them wait
	defer cancel()
	for _, u := range all {
		s.attend(u).host(ctx)
	}
}

// finishTus finishes tus uploads that could not be finished before, until ctx ends.
func (s *Service) finishTus(ctx context.Context) {
	again := time.NewTicker(finishEvery)
	defer again.Stop()
	for {
		if err := s.tus.Resume(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("could not finish all tus uploads", "err", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// follow takes note of what other servers have done.
func (s *Service) follow(ctx context.Context) {
	s.mu.Lock()
	list := make([]*active, 0, len(s.active))
	for _, a := range s.active {
		list = append(list, a)
	}
	s.mu.Unlock()
	for _, a := range list {
		if ctx.Err() != nil {
			return
		}
		if err := a.follow(ctx); errors.Is(err, shoal.ErrNotFound) || errors.Is(err, os.ErrClosed) {
			s.leave(a)
		} else if err != nil && ctx.Err() == nil {
			s.log.Warn("could not follow an upload", "upload", a.u.Task(), "err", err)
		}
	}
}

func (s *Service) sweep(now time.Time) {
	for _, task := range s.cfg.Store.Sweep(now) {
		s.log.Info("abandoned upload deleted", "upload", task)
	}
	if err := s.tus.Sweep(now); err != nil {
		s.log.Warn("could not delete abandoned tus uploads", "err", err)
	}
}
