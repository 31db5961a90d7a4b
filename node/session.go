package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/supply"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// timedStore counts the time spent on writing.
type timedStore struct {
	swarm.Store
	writing atomic.Int64 // ns
}

func (st *timedStore) WritePiece(piece int, data []byte) error {
	begun := time.Now()
	defer func() { st.writing.Add(int64(time.Since(begun))) }()
	return st.Store.WritePiece(piece, data)
}

func (st *timedStore) spent() time.Duration { return time.Duration(st.writing.Load()) }

// session is a content's swarm, and what helps it out while pieces are missing.
type session struct {
	*swarm.Swarm
	supply  *supply.Supply // nil where nothing was missing
	carrier func() string  // the node's; "": unknown
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the supply has ended

	mu  sync.Mutex
	err error // why the supply gave up
}

// newSession starts to help s, whose pieces st keeps, where any is missing.
func (n *Node) newSession(m *shoal.Manifest, st *timedStore, s *swarm.Swarm) *session {
	ctx, cancel := context.WithCancel(context.Background()) // Leave ends it
	ses := &session{Swarm: s, carrier: func() string { return n.hub.Locality().Carrier }, cancel: cancel, ended: make(chan struct{})}
	ahead := n.ahead.take(m.ID())
	if st.Pieces().Full() {
		if ahead != nil {
			ahead.Drop()
		}
		close(ses.ended)
		return ses
	}
	ses.supply = supply.New(supply.Config{
		Manifest: m, Swarm: s, Held: st.Pieces, Leases: n.tracker,
		Node: n.host.ID(), Session: n.announcer.Session(), Task: func() string { return n.tasks.For(m.ID()) },
		Shared: func() bool { return n.tasks.Shared(m.ID()) },
		Down:   n.cfg.Down, Disk: st.spent, Guard: n.cfg.WebGuard, Paths: n.paths, Ahead: ahead, Log: n.log,
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

// AddPeers is the swarm's; the supply wants to know whether there are any, and any near.
func (s *session) AddPeers(peers []swarm.Peer) {
	if s.supply != nil {
		own, near := s.carrier(), 0
		for _, p := range peers {
			if own == "" || p.Carrier == "" || p.Carrier == own {
				near++
			}
		}
		s.supply.Known(len(peers), near)
	}
	s.Swarm.AddPeers(peers)
}

// Want makes pieces urgent until release is called, wherever they come from.
func (s *session) Want(first, count int) (release func()) {
	swarm := s.Swarm.Want(first, count)
	if s.supply == nil {
		return swarm
	}
	supply := s.supply.Want(first, count)
	return func() { supply(); swarm() }
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
	s.Swarm.Leave()
	<-s.ended
}

// Stats are the swarm's, what upstreams sent for nothing included.
func (s *session) Stats() swarm.Stats {
	st := s.Swarm.Stats()
	if s.supply != nil {
		st.Bytes.Wasted += s.supply.Wasted()
	}
	return st
}

// Upstreams is what upstreams did wrong.
func (s *session) Upstreams() []tapi.Fault {
	if s.supply == nil {
		return nil
	}
	return s.supply.Faults()
}

// Why says where the session's time went.
func (s *session) Why() tapi.Why {
	if s.supply == nil {
		return tapi.Why{}
	}
	return s.supply.Why()
}
