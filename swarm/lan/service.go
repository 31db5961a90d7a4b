package lan

import (
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// DefaultPort is the UDP port unless another is chosen.
const DefaultPort = 7075

// Config describes a service. All fields but Contents are required.
type Config struct {
	Key []byte // the node's identity, as of [transport.GenerateKey]
	// Listen lists the multiaddrs, without /p2p, on which the node listens for peers;
	// a wildcard address stands for those that the interfaces have at the time.
	Listen func() []string
	Port   uint16 // UDP; the same on all nodes
	// Holds says how many pieces of a content this node can serve, and how many it
	// has; not ok where it does not know it. It must not call the service.
	Holds func(shoal.ContentID) (have, total int, ok bool)
	// Contents lists what is announced to BitTorrent clients (BEP 14); nil: nothing.
	Contents func() []shoal.ContentID
	Log      *slog.Logger
}

const (
	relistPeriod  = 3 * time.Second // in which an interface that came or went is noticed
	foundQueue    = 256             // peers that a slow caller of Find may lag behind
	brokenPause   = time.Second     // after a socket failed to receive
	lsdFirstDelay = 5 * time.Second
)

// never is for calls that take a context and don't wait.
var never = context.Background()

// Service answers the queries of other nodes, and asks for the contents that
// [Service.Find] looks for. It is safe for concurrent use.
type Service struct {
	cfg     Config
	key     ed25519.PrivateKey
	self    publicKey
	sockets *sockets
	cookie  string        // of announces (BEP 14)
	wake    chan struct{} // capacity 1: something is due sooner
	done    chan struct{} // closed when Run has ended, or Close was called
	end     func()
	ended   error // of end

	mu      sync.Mutex // guards what follows
	engine  *engine
	finds   map[shoal.ContentID]map[*find]bool
	links   []link
	targets []target
}

// find is one call of Find.
type find struct{ peers chan swarm.Peer }

// New takes the port, which nodes of one machine share. The error is of kind
// [shoal.ErrInvalid] where the key is not an Ed25519 one. Run or Close must follow.
func New(cfg Config) (*Service, error) {
	key, self, err := readKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("LAN discovery: identity key: %w: %w", shoal.ErrInvalid, err)
	}
	socks, err := openSockets(cfg.Port)
	if err != nil {
		return nil, fmt.Errorf("LAN discovery: port %d: %w", cfg.Port, err)
	}
	s := &Service{
		cfg: cfg, key: key, self: self, sockets: socks,
		cookie: crand.Text(), wake: make(chan struct{}, 1), done: make(chan struct{}),
		finds: make(map[shoal.ContentID]map[*find]bool),
	}
	s.end = sync.OnceFunc(func() {
		close(s.done)
		s.ended = socks.close()
	})
	// Called with mu held, as all of the engine is.
	near := func(ip netip.Addr) bool { return onLink(s.links, ip) }
	s.engine = newEngine(self, newRand(), cfg.Holds, near)
	s.relist()
	return s, nil
}

// newRand is a source that nobody can foretell: nonces come from it.
func newRand() *rand.Rand {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return rand.New(rand.NewChaCha8(seed))
}

// Name is what the service calls itself in logs and displays.
func (s *Service) Name() string { return "LAN" }

// Close gives the ports back. It is idempotent, and ends Run.
func (s *Service) Close() error {
	s.end()
	return s.ended
}

// Run serves until ctx ends, and closes the service. It must be called at most once.
func (s *Service) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, s.end)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range s.sockets.all() {
		handle := s.receive
		if c == s.sockets.lsd4 || c == s.sockets.lsd6 {
			handle = s.receiveLSD
		}
		wg.Go(func() { s.read(ctx, c, handle) })
	}
	wg.Go(func() { s.relistAll(ctx) })
	if s.cfg.Contents != nil {
		wg.Go(func() { s.announceAll(ctx) })
	}
	s.tickAll(ctx)
}

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

func (s *Service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tickAll does what is due when it is.
func (s *Service) tickAll(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.done:
			return
		case <-s.wake:
		case <-timer.C:
		}
		s.do(func(now time.Time) { s.engine.tick(now) })
		wait := sweepPeersPeriod
		s.mu.Lock()
		if next := s.engine.next(); !next.IsZero() {
			wait = min(wait, time.Until(next))
		}
		s.mu.Unlock()
		timer.Reset(wait)
	}
}

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
	s.sockets.join(use)
	targets := plan(use, s.cfg.Port)
	s.mu.Lock()
	changed := !slices.Equal(targets, s.targets)
	s.links, s.targets, s.engine.endpoints = use, targets, own
	if changed {
		s.engine.moved(time.Now())
	}
	s.mu.Unlock()
	if changed {
		s.rouse()
	}
}
