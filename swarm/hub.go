package swarm

import (
	"bufio"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// Hub is a node's part in all of its swarms. It is safe for concurrent use.
type Hub struct {
	host   *transport.Host
	cfg    Config
	up     *rate.Limiter
	down   *rate.Limiter
	verify chan struct{} // a place for each piece being verified and stored
	meter  meter
	paths  *paths[transport.Path]
	place  atomic.Pointer[place]
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	swarms map[[20]byte]*Swarm // by truncated content ID
	pools  map[int]*pool       // by length: one content's buffers serve the next
}

// NewHub starts to accept swarm streams on a host. The caller closes the hub
// before the host.
func NewHub(host *transport.Host, cfg Config) *Hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hub{
		host:   host,
		cfg:    cfg,
		up:     limiter(paced(cfg.Up, cfg.Down)),
		down:   limiter(cfg.Down),
		verify: make(chan struct{}, runtime.GOMAXPROCS(0)),
		paths:  newPaths[transport.Path](),
		ctx:    ctx,
		cancel: cancel,
		swarms: make(map[[20]byte]*Swarm),
		pools:  make(map[int]*pool),
	}
	h.place.Store(&place{Locality: cfg.Locality})
	h.wg.Go(func() { h.meter.run(ctx) })
	h.wg.Go(func() { h.paths.run(ctx) })
	host.Handle(wire.Protocol, h.accept)
	return h
}

// Join starts the exchange of a content with the store's pieces; origin says
// that this node brought it into the system. The error is of kind
// [shoal.ErrConflict] where the content is being exchanged already, and
// [shoal.ErrUnavailable] after Close.
func (h *Hub) Join(m *shoal.Manifest, st Store, origin bool) (*Swarm, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return nil, fmt.Errorf("join the swarm of %s: %w: stopping", m.ID().Short(), shoal.ErrUnavailable)
	}
	key := m.ID().Truncated()
	if h.swarms[key] != nil {
		return nil, fmt.Errorf("join the swarm of %s: %w: joined already", m.ID().Short(), shoal.ErrConflict)
	}
	s := newSwarm(h, m, st, origin)
	h.swarms[key] = s
	go s.run()
	return s, nil
}

// pool has buffers for pieces of a length; mu is held.
func (h *Hub) pool(length int) *pool {
	if h.pools[length] == nil {
		h.pools[length] = newPool(length)
	}
	return h.pools[length]
}

func (h *Hub) remove(s *Swarm) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.swarms, s.manifest.ID().Truncated())
}

func (h *Hub) find(key [20]byte) *Swarm {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.swarms[key]
}

// Close leaves all swarms and waits.
func (h *Hub) Close() {
	h.cancel()
	h.mu.Lock()
	swarms := make([]*Swarm, 0, len(h.swarms))
	for _, s := range h.swarms {
		swarms = append(swarms, s)
	}
	h.mu.Unlock()
	for _, s := range swarms {
		s.Leave()
	}
	h.wg.Wait()
}

// Rates are the payload rates over the last seconds, all swarms together.
func (h *Hub) Rates() (down, up shoal.Rate) { return h.meter.rates() }

// PeerCount is the number of peers connected, one counted once a swarm.
func (h *Hub) PeerCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.swarms {
		n += s.Stats().Peers
	}
	return n
}

// accept answers a stream that a peer opened.
func (h *Hub) accept(st *transport.Stream) {
	_ = st.SetReadDeadline(time.Now().Add(handshakeTimeout))
	r := bufio.NewReaderSize(st, readBuffer)
	hs, err := wire.ReadHandshake(r)
	if err != nil {
		h.cfg.Log.Debug("refuse a stream", "peer", st.Peer(), "err", err)
		st.Close()
		return
	}
	s := h.find(hs.Content)
	if s == nil {
		st.Close()
		return
	}
	s.greet(st, r)
}
