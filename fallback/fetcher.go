package fallback

import (
	"cmp"
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
	tickInterval = 100 * time.Millisecond
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
	wake    chan struct{}

	mu      sync.Mutex
	changes []change        // for the loop
	names   map[string]bool // of upstreams there are, changes considered
	stats   Stats

	began     time.Time
	progress  atomic.Int64 // when something last arrived: ns since began
	atHome    atomic.Int32 // connections that wait for this end: limits, storage
	delivered atomic.Int64 // bytes
	wasted    atomic.Int64
	hedged    int64 // the loop's, as are the rest

	sources  []*source
	queue    []*segment // claimed, with no connection; the next one first
	busy     int        // connections with a request under way
	outcomes chan outcome
	rng      *rand.Rand
}

// change is an upstream that came or went.
type change struct {
	add    *source
	remove string
	reason string
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
		wake:     make(chan struct{}, 1),
		names:    map[string]bool{},
		began:    time.Now(),
		outcomes: make(chan outcome),
		rng:      rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	for _, u := range cfg.Upstreams {
		if err := f.Add(u); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Add adds an upstream. The error is of kind [shoal.ErrInvalid], or
// [shoal.ErrConflict] where there is one of that name. One that was removed
// comes back as if it were new.
func (f *Fetcher) Add(u Upstream) error {
	base, err := u.parse()
	if err != nil {
		return err
	}
	guard := f.cfg.Nodes
	if u.Kind == WebSeed {
		guard = &f.cfg.WebSeeds
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[u.Name] {
		return fmt.Errorf("upstream %.100q: %w: there is one of that name", u.Name, shoal.ErrConflict)
	}
	f.names[u.Name] = true
	f.changed(change{add: newSource(u, base, guard)})
	return nil
}

// Remove takes an upstream away and breaks its transfers off; the reason is for
// reports. An unknown name is ignored.
func (f *Fetcher) Remove(name, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[name] {
		delete(f.names, name)
		f.changed(change{remove: name, reason: reason})
	}
}

// changed wakes the loop up; mu is held.
func (f *Fetcher) changed(c change) {
	f.changes = append(f.changes, c)
	select {
	case f.wake <- struct{}{}:
	default:
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
		f.takeChanges()
		now := time.Now()
		claimable := f.assign(ctx, now)
		f.publish(now)
		if done, err := f.finished(ctx, now, claimable); done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.wake:
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
		for _, c := range s.conns {
			c.close()
		}
		s.conns = nil
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
	hopeless := !slices.ContainsFunc(f.sources, func(s *source) bool { return !s.gone() })
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
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, why))
		} else if s.removed != "" {
			errs = append(errs, fmt.Errorf("%s: taken away: %s", s.Name, s.removed))
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

// takeChanges applies what Add and Remove asked for.
func (f *Fetcher) takeChanges() {
	f.mu.Lock()
	changes := f.changes
	f.changes = nil
	f.mu.Unlock()
	for i, c := range changes {
		if c.add != nil {
			old := slices.IndexFunc(f.sources, func(s *source) bool { return s.Name == c.add.Name })
			if old >= 0 && f.sources[old].anyBusy() { // it ends soon
				f.mu.Lock()
				f.changes = append(changes[i:], f.changes...)
				f.mu.Unlock()
				return
			}
			if old >= 0 {
				f.sources = slices.Delete(f.sources, old, old+1)
			}
			f.sources = append(f.sources, c.add)
			continue
		}
		for _, s := range f.sources {
			if s.Name == c.remove && s.removed == "" {
				s.removed = cmp.Or(c.reason, "no reason given")
				s.drop(errTaken)
			}
		}
	}
}
