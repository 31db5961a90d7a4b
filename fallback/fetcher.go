package fallback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	tickInterval = 25 * time.Millisecond
	// holdClaims is how long claimed pieces wait for an upstream before they are
	// given back, so that the swarm may get them.
	holdClaims = 3 * time.Second
)

// Fetcher fetches pieces of one content from upstreams. Its methods may be
// called concurrently.
type Fetcher struct {
	cfg  Config
	log  *slog.Logger
	dial dialFunc // replaces the TCP network where it is not nil

	running sync.Mutex // held by Run

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

// finished says whether Run is over, and by what error. claimable is false once
// there was nothing to claim.
func (f *Fetcher) finished(ctx context.Context, now time.Time, claimable bool) (bool, error) {
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	if f.busy == 0 && len(f.queue) == 0 && !claimable {
		if !f.cfg.Standby {
			return true, nil
		}
		f.progressed() // nothing is due
	}
	if f.atHome.Load() > 0 {
		f.progressed()
	}
	hopeless := !slices.ContainsFunc(f.sources, func(s *source) bool { return !s.health.final })
	idle := now.Sub(f.began) - time.Duration(f.progress.Load())
	if hopeless && f.busy > 0 || !hopeless && idle < f.cfg.Limits.Patience {
		return false, nil
	}
	if f.busy == 0 && len(f.queue) == 0 && !f.cfg.Standby { // nobody has asked for a while
		first, count, ok := f.cfg.Pieces.Claim(ctx, 1)
		if !ok {
			return true, ctx.Err()
		}
		f.cfg.Pieces.Release(first, count)
	}
	return true, f.reasons(hopeless, idle)
}

// reasons is the error for when no upstream is of use.
func (f *Fetcher) reasons(hopeless bool, idle time.Duration) error {
	var errs []error
	for _, s := range f.sources {
		if why := s.why(); why != nil {
			errs = append(errs, fmt.Errorf("%s: %w", Label(s.Name), why))
		}
	}
	what := "no upstream is left"
	if !hopeless {
		what = fmt.Sprintf("nothing arrived for %s", round(idle))
	}
	if len(errs) == 0 {
		return fmt.Errorf("fetch: %w: %s", shoal.ErrUnavailable, what)
	}
	return fmt.Errorf("fetch: %w: %s: %w", shoal.ErrUnavailable, what, errors.Join(errs...))
}

// progressed notes that something arrived.
func (f *Fetcher) progressed() { f.progress.Store(int64(time.Since(f.began))) }
