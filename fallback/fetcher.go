package fallback

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
)

// holdClaims is how long claimed pieces wait for an upstream before they are
// given back, so that the swarm may get them.
const holdClaims = 3 * time.Second

// Fetcher fetches pieces of one content from upstreams. Its methods may be
// called concurrently.
type Fetcher struct {
	cfg  Config
	log  *slog.Logger
	dial dialFunc // replaces the TCP network where it is not nil

	running sync.Mutex    // held by Run
	quiet   atomic.Bool   // nothing to claim is to be expected
	wake    chan struct{} // capacity 1: something is

	mu    sync.Mutex
	stats Stats

	began     time.Time
	progress  atomic.Int64 // when something last arrived: ns since began
	atHome    atomic.Int32 // connections that wait for this end: limits, storage
	delivered atomic.Int64 // bytes
	wasted    atomic.Int64

	sources []*source // the same ones from New on

	// The loop's.
	queue    []*segment // claimed, with no connection; the next one first
	busy     int        // connections with a request under way
	askFrom  time.Time  // whether there is something to claim, for a hedge
	outcomes chan outcome
	rng      *rand.Rand
}

// New checks the configuration; errors are of kind [shoal.ErrInvalid].
func New(cfg Config) (*Fetcher, error) {
	if cfg.Manifest == nil || cfg.Pieces == nil {
		return nil, fmt.Errorf("fallback: %w: no manifest or no pieces", shoal.ErrInvalid)
	}
	cfg.Limits = cfg.Limits.withDefaults()
	f := &Fetcher{
		cfg:      cfg,
		log:      cfg.Log,
		began:    time.Now(),
		wake:     make(chan struct{}, 1),
		outcomes: make(chan outcome),
		rng:      rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	for _, u := range cfg.Upstreams {
		if err := f.add(u); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add adds an upstream; not while Run is under way.
func (f *Fetcher) add(u Upstream) error {
	base, err := u.parse()
	if err != nil {
		return err
	}
	if f.source(u.Name) != nil {
		return fmt.Errorf("upstream %.100q: %w: there are two of that name", Label(u.Name), shoal.ErrInvalid)
	}
	guard := f.cfg.Nodes
	if u.Kind == WebSeed {
		guard = &f.cfg.WebSeeds
	}
	s := newSource(u, base, guard)
	for _, r := range f.cfg.Reached {
		if taken := r.take(u); taken != nil {
			s = taken
			s.Upstream, s.guard = u, guard // of the connections to come
			s.most.Store(int64(u.Connections))
		}
	}
	f.recall(time.Now(), s)
	f.sources = append(f.sources, s)
	return nil
}

// source is the upstream of a name; nil: there is none.
func (f *Fetcher) source(name string) *source {
	i := slices.IndexFunc(f.sources, func(s *source) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return f.sources[i]
}

// SetConnections changes how many connections to an upstream there may be; 0:
// as many as make it faster. Those beyond end with the range under way: soon,
// and nothing is fetched twice. An unknown name is ignored.
func (f *Fetcher) SetConnections(name string, n int) {
	if s := f.source(name); s != nil {
		s.most.Store(int64(max(n, 0)))
	}
}

// Run fetches until there is nothing to claim and all that it claimed is
// delivered (nil; not in Config.Standby), until ctx ends (its error), or until no upstream is of use:
// when all are benched for good, and when nothing has arrived for
// [Limits.Patience]. That error names each with its reason and has their kinds;
// it is of kind [shoal.ErrUnavailable] too. Errors of Deliver, but for corrupt data,
// end it at once.
//
// What is claimed and not delivered has been released when it returns, and
// neither goroutines nor connections are left. It may be called again, but not
// while it runs; cool-downs and benches stay.
func (f *Fetcher) Run(ctx context.Context) error {
	if !f.running.TryLock() {
		return fmt.Errorf("fetch: %w: under way already", shoal.ErrConflict)
	}
	defer f.running.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer f.stop(cancel)
	f.progressed()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for {
		now := time.Now()
		claimable := f.assign(ctx, now)
		f.publish(now)
		if done, err := f.finished(ctx, now, claimable); done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			f.tick(now)
			tick.Reset(f.pace(claimable))
		case <-f.wake:
			f.tick(time.Now())
			tick.Reset(tickInterval)
		case o := <-f.outcomes:
			if err := f.settle(time.Now(), o); err != nil {
				return err
			}
		}
	}
}

// stop ends what is under way and gives all claims back.
func (f *Fetcher) stop(cancel context.CancelCauseFunc) {
	cancel(errStopped)
	for f.busy > 0 {
		_ = f.settle(time.Now(), <-f.outcomes) // the first error counts, or none
	}
	for _, s := range f.sources {
		s.dismiss()
		s.endTrial()
		for _, l := range s.lanes {
			l.close()
		}
		s.lanes, s.conns = nil, nil
	}
	f.release(func(*segment) bool { return true })
	f.publish(time.Now())
}
