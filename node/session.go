package node

import (
	"context"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/supply"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// session is a content's swarm, and what helps it out while pieces are missing.
type session struct {
	*swarm.Swarm
	supply *supply.Supply // nil where nothing was missing
	cancel context.CancelFunc
	ended  chan struct{} // closed when the supply has ended

	mu  sync.Mutex
	err error // why the supply gave up
}

// newSession starts to help s, whose pieces st keeps, where any is missing.
func (n *Node) newSession(m *shoal.Manifest, st swarm.Store, s *swarm.Swarm) *session {
	ctx, cancel := context.WithCancel(context.Background()) // Leave ends it
	ses := &session{Swarm: s, cancel: cancel, ended: make(chan struct{})}
	if st.Pieces().Full() {
		close(ses.ended)
		return ses
	}
	ses.supply = supply.New(supply.Config{
		Manifest: m, Swarm: s, Held: st.Pieces, Leases: n.tracker,
		Node: n.host.ID(), Session: n.announcer.Session(), Task: func() string { return n.tasks.For(m.ID()) },
		Down: n.cfg.Down, Guard: n.cfg.WebGuard, Log: n.log,
	})
	go func() {
		defer close(ses.ended)
		if err := ses.supply.Run(ctx); err != nil {
			ses.mu.Lock()
			ses.err = err
			ses.mu.Unlock()
			s.Leave()
		}
	}()
	return ses
}

// AddPeers is the swarm's; the supply wants to know whether there are any.
func (s *session) AddPeers(peers []swarm.Peer) {
	if s.supply != nil {
		s.supply.Known(len(peers))
	}
	s.Swarm.AddPeers(peers)
}

// Err is why the session failed; nil before Done and after Leave.
func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return s.Swarm.Err()
}

// Leave ends the session and waits until nothing of it runs.
func (s *session) Leave() {
	s.cancel()
	<-s.ended
	s.Swarm.Leave()
}

// Why says where the session's time went.
func (s *session) Why() tapi.Why {
	if s.supply == nil {
		return tapi.Why{}
	}
	return s.supply.Why()
}
