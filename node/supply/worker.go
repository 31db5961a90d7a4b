package supply

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// worker reads leased pieces from one upstream. It outlives a lease, so that
// its connections serve the next one.
type worker struct {
	name    string
	fetcher *fallback.Fetcher
	pieces  *leased
	limiter *rate.Limiter // what its leases allow
	cancel  context.CancelFunc
	charged int64     // bytes received that ended loans account for
	idle    time.Time // since when it has had no lease; zero: it has one
	over    bool      // its fetcher has ended; guarded by the supply's mu
}

// received is what the upstream has sent so far.
func (w *worker) received() (n int64) {
	for _, u := range w.fetcher.Stats().Upstreams {
		n += u.Bytes
	}
	return n
}

// ended is a worker whose fetcher has given up.
type ended struct {
	worker *worker
	err    error
}

// leased is the part of a swarm's pieces that leases allow to read.
type leased struct {
	swarm   Swarm
	readers *readers
	allowed atomic.Pointer[shoal.PieceSet] // replaced, never changed
	corrupt atomic.Int64                   // bytes of pieces that did not verify
}

func (l *leased) Claim(ctx context.Context, most int64) (first, count int, ok bool) {
	allowed := l.allowed.Load()
	if allowed == nil || allowed.Count() == 0 {
		return 0, 0, false
	}
	return l.swarm.Claim(ctx, l.readers.atMost(most, time.Now()), allowed)
}

func (l *leased) Deliver(ctx context.Context, piece int, data []byte) error {
	err := l.swarm.Deliver(ctx, piece, data)
	if errors.Is(err, shoal.ErrCorrupt) {
		l.corrupt.Add(int64(len(data)))
	}
	return err
}

func (l *leased) Release(first, count int) { l.swarm.Release(first, count) }

// limiterBurst is at least what a fetcher asks of its limiter at once.
const limiterBurst = 128 << 10

// employ returns the worker for a lease's upstream, a new one where there is
// none.
func (s *Supply) employ(ctx context.Context, l api.Lease) (*worker, error) {
	if w := s.workers[l.Upstream.Name]; w != nil {
		w.idle = time.Time{}
		return w, nil
	}
	u, err := upstream(l, s.trouble.attempts(l.Upstream.Name))
	if err != nil {
		return nil, err
	}
	w := &worker{
		name: u.Name, pieces: &leased{swarm: s.cfg.Swarm, readers: &s.readers},
		limiter: rate.NewLimiter(rate.Inf, limiterBurst),
	}
	w.fetcher, err = fallback.New(fallback.Config{
		Manifest: s.cfg.Manifest, Pieces: w.pieces, Upstreams: []fallback.Upstream{u},
		Reached: s.reached(), Paths: s.cfg.Paths, WebSeeds: s.cfg.Guard, Nodes: nodeGuard(s.cfg.Guard), Limiter: w.limiter, Standby: true, Log: s.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	ctx, w.cancel = context.WithCancel(ctx)
	s.workers[w.name] = w
	s.running.Go(func() {
		err := w.fetcher.Run(ctx)
		s.retired(w)
		select {
		case s.ended <- ended{w, err}:
		case <-ctx.Done():
		}
	})
	return w, nil
}

// nodeGuard is what guards connections to nodes, where guard does those to web seeds.
func nodeGuard(guard fallback.Guard) *fallback.Guard {
	return &fallback.Guard{Private: true, Allow: guard.Allow}
}

// upstream is where a lease leads: after each failed attempt, to another of the
// upstream's addresses.
func upstream(l api.Lease, attempts int) (fallback.Upstream, error) {
	if len(l.Upstream.URLs) == 0 {
		return fallback.Upstream{}, fmt.Errorf("lease on %q: %w: no URL", fallback.Label(l.Upstream.Name), shoal.ErrInvalid)
	}
	u := fallback.Upstream{Name: l.Upstream.Name, URL: l.Upstream.URLs[attempts%len(l.Upstream.URLs)], Connections: l.Connections}
	switch l.Upstream.Kind {
	case api.NodeGateway:
		u.Kind, u.TLS = fallback.Node, nodecert.PinNode(l.Upstream.Node)
	case api.WebSeed:
		u.Kind = fallback.WebSeed
	default:
		return u, fmt.Errorf("lease on %q: %w: upstream of kind %q", fallback.Label(l.Upstream.Name), shoal.ErrInvalid, l.Upstream.Kind)
	}
	return u, nil
}

// allow fits what a worker may read, and how fast, to the leases it has.
func (s *Supply) allow(w *worker, now time.Time) {
	set := shoal.NewPieceSet(s.cfg.Manifest.NumPieces())
	bound, bounded, any, connections := shoal.Rate(0), true, false, 0
	for _, l := range s.loans {
		if l.worker != w {
			continue
		}
		any, connections = true, l.Connections // the newest knows how many read there
		bound += l.Rate
		bounded = bounded && l.Rate > 0
		for piece := range l.all() {
			set.Add(piece)
		}
	}
	w.pieces.allowed.Store(set)
	if !any {
		if w.idle.IsZero() {
			w.idle = now
		}
		w.fetcher.Quiet(true)
		return // what is still coming comes as slowly as it was allowed to
	}
	w.idle = time.Time{}
	w.fetcher.SetConnections(w.name, connections)
	limit := rate.Inf
	if bounded {
		limit = rate.Limit(bound)
	}
	w.limiter.SetLimit(limit)
	w.fetcher.Quiet(false)
}
