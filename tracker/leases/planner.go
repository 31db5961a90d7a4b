package leases

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

const (
	maxAll     = 200_000 // leases
	sweepEvery = 10 * time.Second
)

// Directory is what the planner has to know of the nodes; [registry.Registry]
// is one. It is asked under the planner's lock and must not call back.
type Directory interface {
	// Known returns a live node that has announced in the session.
	Known(id shoal.NodeID, session string) (api.NodeInfo, bool)
	// Held returns the pieces a node has; nil: it takes no part in the content.
	// The set is the caller's.
	Held(id shoal.NodeID, content shoal.ContentID) *shoal.PieceSet
	// Coverage returns which of so many pieces live nodes of a carrier, origins
	// excepted, hold between them, and how many of them fetch the content. The
	// set is the caller's.
	Coverage(content shoal.ContentID, carrier string, pieces int) (held *shoal.PieceSet, fetchers int)
	// Servers returns up to most live nodes other than id that have some of the
	// content, the nearest to id first; with gateway, only those with one.
	Servers(id shoal.NodeID, content shoal.ContentID, gateway bool, most int) []registry.Server
	// Dial has a node told to connect to a peer. It reports whether it will be.
	Dial(id shoal.NodeID, order api.DialOrder) bool
}

// Config is what a planner needs. All of it is required but Read and Open.
type Config struct {
	Nodes Directory
	Rand  *rand.Rand
	// Read is told of bytes that nodes have read from upstreams. It is called
	// under the planner's lock and must not call back. Nil: nobody wants to know.
	Read func(from api.Upstream, bytes int64)
	// Open is when leasing begins: while nodes announce to a tracker that has
	// restarted, it would lease what their carriers hold already.
	Open time.Time
}

// Planner grants leases. It is safe for concurrent use.
type Planner struct {
	cfg Config

	mu      sync.Mutex
	books   map[shoal.ContentID]*book
	memory  int64 // bytes that the books' ledgers take
	leases  map[string]*lease
	byNode  map[shoal.NodeID]map[*lease]struct{}
	endings endings // of leases, and of the time to settle after them
	servers map[shoal.NodeID]*server
	pushes  map[pushKey]push
	swept   time.Time
}

// New returns a planner without leases.
func New(cfg Config) *Planner {
	return &Planner{
		cfg:     cfg,
		books:   make(map[shoal.ContentID]*book),
		leases:  make(map[string]*lease),
		byNode:  make(map[shoal.NodeID]map[*lease]struct{}),
		servers: make(map[shoal.NodeID]*server),
		pushes:  make(map[pushKey]push),
	}
}

// Knows reports whether requests for a content can be made without describing it.
func (p *Planner) Knows(id shoal.ContentID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.books[id] != nil
}

// SetWebSeeds replaces the web seeds of a content, where the planner knows it.
// The slice must not change any more.
func (p *Planner) SetWebSeeds(id shoal.ContentID, urls []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.books[id]; b != nil {
		b.seeds = urls
	}
}

// Lease answers a request that has been validated, under a task's limits.
// Content may be nil while the planner knows it; if it doesn't any more, the
// error is of kind [shoal.ErrUnavailable]. A node that isn't known in its
// session is [shoal.ErrConflict]. A refusal is no error.
func (p *Planner) Lease(now time.Time, r *api.LeaseRequest, content *Content, limits api.Limits) (api.LeaseReply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, ok := p.cfg.Nodes.Known(r.Node, r.Session)
	if !ok {
		return api.LeaseReply{}, fmt.Errorf("lease: node %s: %w: it has not announced in this session", r.Node.Short(), shoal.ErrConflict)
	}
	p.expire(now)
	l, err := p.ledger(now, r.Content, content, info.Carrier)
	if err != nil {
		return api.LeaseReply{}, fmt.Errorf("lease: %w", err)
	}
	a := &ask{now: now, r: r, info: info, book: p.books[r.Content], ledger: l, task: r.Task, bounds: boundsOf(limits, info.Carrier)}
	if limits.IsZero() {
		a.task = "" // the default budget is the content's, however many tasks it has
	}
	a.asker = l.askers[r.Node]
	if a.asker == nil {
		a.asker = new(asker)
		l.askers[r.Node] = a.asker
	}
	a.asker.ask(now)

	if r.Lease != "" {
		old := p.leases[r.Lease]
		mine := old != nil && old.node == r.Node && old.book == a.book
		if mine {
			old.use(r.Used)
		}
		switch {
		case !r.Done && mine && old.progress(now):
			p.endings.move(old, now.Add(leaseTTL))
			return api.LeaseReply{Lease: old.api(now, p.connections(old))}, nil
		case mine:
			p.end(now, old, true)
		}
		if !r.Done {
			return p.refused(a, api.NoProgress), nil
		}
	}
	reply := p.answer(a)
	reply.Push = p.push(a)
	return reply, nil
}

// answer grants a new lease or refuses one.
func (p *Planner) answer(a *ask) api.LeaseReply {
	switch {
	case a.now.Before(p.cfg.Open):
		return p.refused(a, api.Starting)
	case a.asker.leases >= maxLeases:
		return p.refused(a, api.Enough)
	case len(p.leases) >= maxAll:
		return p.refused(a, api.Busy)
	}
	l, why := p.choose(a)
	if l == nil {
		r := p.refused(a, why)
		a.asker.refuse(a.now, a.now.Add(time.Duration(r.RetryAfter*float64(time.Second))))
		return r
	}
	p.grant(a, l)
	return api.LeaseReply{Lease: l.api(a.now, p.connections(l))}
}

// Return gives a lease back by which used bytes were read. It reports whether
// the lease was there.
func (p *Planner) Return(now time.Time, id string, used int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	l := p.leases[id]
	if l == nil {
		return false
	}
	l.use(used)
	p.end(now, l, true)
	return true
}

// Forget ends the leases of a node that is dead or has restarted.
func (p *Planner) Forget(now time.Time, node shoal.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.byNode[node] {
		p.end(now, l, false)
	}
}

// Sweep ends the leases that have expired and drops what nobody needs any more.
func (p *Planner) Sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if now.Sub(p.swept) < sweepEvery {
		return
	}
	p.swept = now
	for k, v := range p.pushes {
		if now.Sub(v.at) > pushTTL {
			p.server(v.holder).pushes--
			p.release(v.holder)
			delete(p.pushes, k)
		}
	}
	for id, b := range p.books {
		if b.sweep(now) {
			continue
		}
		p.memory -= b.memory()
		delete(p.books, id)
	}
}

// Active is the number of leases.
func (p *Planner) Active() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.leases)
}

var _ Directory = (*registry.Registry)(nil)
