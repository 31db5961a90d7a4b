package discover

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Source finds the peers of contents.
type Source interface {
	// Name is for logs and displays.
	Name() string
	// Find looks for peers until ctx ends, or it failed. found is called from one
	// goroutine at a time, again for a peer that was found again; it does not block.
	Find(ctx context.Context, id shoal.ContentID, found func(swarm.Peer)) error
}

// Use is a source and when it is asked.
type Use struct {
	Source
	// After is how long, while a tracker answers, a content lacks pieces before the
	// source is asked for it. Negative: it is not asked while a tracker answers.
	After time.Duration
}

// Config is what a Discoverer works with; all fields are required.
type Config struct {
	Sources []Use
	// Wanted lists the contents that lack pieces and are in a swarm.
	Wanted   func() []shoal.ContentID
	AddPeers func(shoal.ContentID, []swarm.Peer)
	// Alone says that no tracker answers.
	Alone func() bool
	// Fetch asks the peers that come for a manifest until one gives it or ctx ends.
	Fetch func(ctx context.Context, id shoal.ContentID, peers <-chan swarm.Peer) (*shoal.Manifest, error)
	Log   *slog.Logger
}

const (
	lookPeriod = 500 * time.Millisecond // how soon it is noticed what is wanted
	askAgain   = 10 * time.Second       // after a source failed
	fetchQueue = 64                     // peers that wait to be asked for a manifest
)

// Discoverer is safe for concurrent use.
type Discoverer struct {
	cfg Config

	places  chan struct{} // one for each manifest that is looked for
	waiting atomic.Int64  // that have no place
	leaving atomic.Int64  // whose turns were ended, until they wait for somebody to leave, or do not wait
}

// New makes a Discoverer that does nothing by itself before Run.
func New(cfg Config) *Discoverer {
	return &Discoverer{cfg: cfg, places: make(chan struct{}, maxPlaces)}
}

// Run finds peers for what is wanted until ctx ends.
func (d *Discoverer) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	jobs := make(map[shoal.ContentID]*job)
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	alone := false
	for {
		before := alone
		alone = d.cfg.Alone()
		d.look(ctx, jobs, alone, alone && !before, &running)
		select {
		case <-ctx.Done():
			return // which ends the jobs
		case <-tick.C:
		}
	}
}

// look begins and ends searches. lost says that the tracker has just fallen silent:
// who was asked before is asked anew, without waiting for its next turn.
func (d *Discoverer) look(ctx context.Context, jobs map[shoal.ContentID]*job, alone, lost bool, running *sync.WaitGroup) {
	now := time.Now()
	wanted := make(map[shoal.ContentID]bool)
	var current []*job
	for _, id := range d.cfg.Wanted() {
		if wanted[id] {
			continue
		}
		wanted[id] = true
		if jobs[id] == nil {
			jobs[id] = &job{since: now, cancels: make([]context.CancelFunc, len(d.cfg.Sources))}
		}
		current = append(current, jobs[id])
	}
	rotate(current, now)
	for id, j := range jobs {
		for i, use := range d.cfg.Sources {
			ask := wanted[id] && j.placed && (alone || use.After >= 0 && now.Sub(j.since) >= use.After)
			if !ask || lost {
				j.stop(i)
			}
			if ask && j.cancels[i] == nil {
				searching, cancel := context.WithCancel(ctx)
				j.cancels[i] = cancel
				running.Go(func() {
					d.search(searching, use, id, func(p swarm.Peer) { d.cfg.AddPeers(id, []swarm.Peer{p}) })
				})
			}
		}
		if !wanted[id] {
			delete(jobs, id)
		}
	}
}

// search asks one source until ctx ends.
func (d *Discoverer) search(ctx context.Context, use Use, id shoal.ContentID, found func(swarm.Peer)) {
	for {
		err := use.Find(ctx, id, found)
		if ctx.Err() != nil {
			return
		}
		d.cfg.Log.Debug("a source of peers gave up", "source", use.Name(), "content", id, "err", err)
		pause := time.NewTimer(askAgain)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}
