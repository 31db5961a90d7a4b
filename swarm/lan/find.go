package lan

import (
	"context"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// foundQueue is how many peers a slow caller of Find may lag behind.
const foundQueue = 256

// find is one call of Find.
type find struct{ peers chan swarm.Peer }

// Find looks for peers of a content until ctx ends. found is called from this
// goroutine, again where a peer is heard again, which may tell other addresses. The
// error is ctx's cause, or [shoal.ErrUnavailable] where the service ended or looks
// for too many contents.
func (s *Service) Find(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error {
	f := &find{make(chan swarm.Peer, foundQueue)}
	s.mu.Lock()
	known, ok := s.engine.search(id, time.Now())
	if ok {
		if s.finds[id] == nil {
			s.finds[id] = make(map[*find]bool)
		}
		s.finds[id][f] = true
	}
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("look for %s on the LAN: %w: enough contents are looked for", id.Short(), shoal.ErrUnavailable)
	}
	defer s.forget(id, f)
	s.rouse()
	for _, p := range known {
		found(p)
	}
	for {
		select {
		case p := <-f.peers:
			found(p)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.done:
			return fmt.Errorf("look for %s on the LAN: %w: the service ended", id.Short(), shoal.ErrUnavailable)
		}
	}
}

func (s *Service) forget(id shoal.ContentID, f *find) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.finds[id], f); len(s.finds[id]) == 0 {
		delete(s.finds, id)
		s.engine.stop(id)
	}
}
