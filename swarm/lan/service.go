package lan

import (
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
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
