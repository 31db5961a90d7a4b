package lan

import (
	"context"
	"slices"
	"time"
)

// relistPeriod is in which an interface that came or went is noticed.
const relistPeriod = 3 * time.Second

// relistAll follows interfaces that come and go.
func (s *Service) relistAll(ctx context.Context) {
	tick := time.NewTicker(relistPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.relist()
		}
	}
}

// relist looks where the node can be reached now. It is called by one goroutine
// at a time.
func (s *Service) relist() {
	all, err := links()
	if err != nil {
		s.cfg.Log.Warn("LAN: could not list the interfaces", "err", err)
		return
	}
	own := resolve(s.cfg.Listen(), all)
	use := usable(all, own)
	renewed := s.sockets.groups.follow(use)
	targets := plan(use, s.cfg.Port)
	s.mu.Lock()
	changed := renewed || !slices.Equal(targets, s.targets)
	s.links, s.targets, s.engine.endpoints = use, targets, own
	if changed {
		s.engine.moved(time.Now())
	}
	s.mu.Unlock()
	if changed {
		s.rouse()
	}
}
