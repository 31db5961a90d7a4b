package discover

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// errTurn is why a search for a manifest rests: others wait for its place.
var errTurn = errors.New("its turn is over")

// Manifest gets a content's manifest from peers, whom all sources are asked for
// whether a tracker answers or not: it does not know the content, or there is none.
// The peers that were found are added to the content's. It goes on until ctx ends; the
// error is ctx's cause. Of very many contents, some at a time are looked for, in turn.
func (d *Discoverer) Manifest(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	for left := false; ; left = true {
		if err := d.wait(ctx, left); err != nil {
			return nil, err
		}
		m, err := d.manifest(ctx, id)
		<-d.places
		if !errors.Is(err, errTurn) {
			return m, err
		}
	}
}

// wait takes a place. left says that a turn has just been ended: for the time of another
// nobody leaves for this one, else all whose turns are over would leave for each other.
func (d *Discoverer) wait(ctx context.Context, left bool) error {
	if left {
		again := time.AfterFunc(turnTime, func() { d.leaving.Add(-1) })
		defer func() {
			if again.Stop() {
				d.leaving.Add(-1)
			}
		}()
	}
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	select {
	case d.places <- struct{}{}: // the channel serves who has waited longest
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// manifest is one turn of Manifest; [errTurn] where it is over.
func (d *Discoverer) manifest(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	f := finding{peers: make(chan swarm.Peer, fetchQueue), known: make(map[shoal.NodeID]swarm.Peer)}
	searching, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	var left bool
	running.Go(func() { left = d.giveWay(searching, cancel) })
	for _, use := range d.cfg.Sources {
		running.Go(func() { d.search(searching, use, id, f.found) })
	}
	m, err := d.cfg.Fetch(searching, id, f.peers)
	cancel(nil)
	running.Wait()
	if left && !errors.Is(err, errTurn) {
		d.leaving.Add(-1) // for good
	}
	if err != nil {
		return nil, err
	}
	if peers := f.all(); len(peers) > 0 {
		d.cfg.AddPeers(id, peers)
	}
	return m, nil
}

// giveWay ends a turn of [turnTime] once it is over and somebody waits for whom no other
// does. It reports whether it did; the turn counts as leaving then.
func (d *Discoverer) giveWay(ctx context.Context, end context.CancelCauseFunc) bool {
	for pause := turnTime; ; pause = lookPeriod {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		if d.leaving.Add(1) <= d.waiting.Load() {
			end(errTurn)
			return true
		}
		d.leaving.Add(-1)
	}
}

// finding gathers the peers that sources find.
type finding struct {
	peers chan swarm.Peer

	mu    sync.Mutex
	known map[shoal.NodeID]swarm.Peer
}

// maxFound bounds the peers that are remembered for one content.
const maxFound = 256

func (f *finding) found(p swarm.Peer) {
	f.mu.Lock()
	if _, known := f.known[p.ID]; known || len(f.known) < maxFound {
		f.known[p.ID] = p
	}
	f.mu.Unlock()
	select {
	case f.peers <- p:
	default: // there are plenty; it may be found again
	}
}

func (f *finding) all() []swarm.Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]swarm.Peer, 0, len(f.known))
	for _, p := range f.known {
		out = append(out, p)
	}
	return out
}
