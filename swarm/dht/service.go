package dht

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Config says what a service works with; all fields but Client are required. The
// functions are called from goroutines of the service, one call of each at a time,
// and must not block.
type Config struct {
	Host host.Host

	// Needed says whether no tracker answers. It is asked once a second.
	Needed func() bool
	// Known are last-known peers to join through, the most promising first.
	Known func() []swarm.Peer
	// Held are the contents that the node serves or fetches. The slice is not
	// changed. Of more than 512 only so many are offered.
	Held func() []shoal.ContentID

	// Client keeps the node from answering others' queries, for one that stays
	// for a short time only.
	Client bool
	Log    *slog.Logger
}

// Service is a node's part in the DHT, which it takes while it is needed. Its
// methods are safe for concurrent use; Run must be called once.
type Service struct {
	cfg     Config
	lookups chan struct{} // a place for each lookup under way
	did     counters

	mu      sync.Mutex
	network *network // nil while it is off
}

const (
	maxLookups = 4                // contents that are looked up at a time
	lookEvery  = 30 * time.Second // between two lookups of a content
	lookRetry  = 2 * time.Second  // the same, while the DHT is off or empty
)

// New returns a service that is off.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, lookups: make(chan struct{}, maxLookups)}
}

// Name is what logs call this source of peers.
func (s *Service) Name() string { return "dht" }

// Find calls found, one call at a time, for each node that says it has a part in
// a content. It looks again and again, while the DHT is on, until ctx ends; the error
// is ctx's cause. One lookup takes 20 s at most, and waits while four others are under
// way. What the nodes say is not verified; that a node has the ID it is found by, its
// connection proves.
func (s *Service) Find(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error {
	for {
		pause := lookEvery
		if err := s.look(ctx, id, found); err != nil {
			pause = lookRetry
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// look looks once. The error is ctx's cause, or of kind [shoal.ErrUnavailable] where
// the DHT is off or empty.
func (s *Service) look(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error {
	n := s.current()
	if n == nil {
		return fmt.Errorf("look up content %s: %w: the DHT is off while a tracker answers", id.Short(), shoal.ErrUnavailable)
	}
	select {
	case s.lookups <- struct{}{}:
		defer func() { <-s.lookups }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.did.lookups.Add(1)
	return n.find(ctx, id, func(p swarm.Peer) {
		s.did.found.Add(1)
		found(p)
	})
}

func (s *Service) current() *network {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network
}

// Run takes part when that is needed, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var p power
	leave := func() {}
	defer func() { leave() }()
	tick := time.NewTicker(powerCheck)
	defer tick.Stop()
	for running := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch on := p.next(time.Now(), s.cfg.Needed()); {
		case on && !running:
			stop, err := s.join(ctx)
			if err != nil {
				s.cfg.Log.Warn("no tracker answers, and the DHT cannot be joined", "err", err)
				p.failed(time.Now())
				continue
			}
			s.cfg.Log.Info("no tracker answers: looking for peers in the DHT")
			leave, running = stop, true
		case !on && running:
			s.cfg.Log.Info("a tracker answers: left the DHT")
			leave()
			leave, running = func() {}, false
		}
	}
}

// join takes part until leave is called.
func (s *Service) join(ctx context.Context) (leave func(), err error) {
	n, err := join(s.cfg.Host, s.cfg.Client, s.cfg.Log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() { n.bootstrap(ctx, s.cfg.Known) })
	working.Go(func() { n.offer(ctx, s.cfg.Held, s.did.offered) })
	s.show(n)
	return func() {
		s.show(nil)
		cancel()
		working.Wait()
		if err := n.close(); err != nil {
			s.cfg.Log.Warn("could not leave the DHT in good order", "err", err)
		}
	}, nil
}

func (s *Service) show(n *network) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.network = n
}
