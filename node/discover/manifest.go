package discover

import (
	"context"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Manifest gets a content's manifest from peers, whom all sources are asked for
// whether a tracker answers or not: it does not know the content, or there is none.
// The peers that were found are added to the content's. It goes on until ctx ends; the
// error is ctx's cause.
func (d *Discoverer) Manifest(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	f := finding{peers: make(chan swarm.Peer, fetchQueue), known: make(map[shoal.NodeID]swarm.Peer)}
	searching, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, use := range d.cfg.Sources {
		running.Go(func() { d.search(searching, use, id, f.found) })
	}
	m, err := d.cfg.Fetch(ctx, id, f.peers)
	cancel()
	running.Wait()
	if err != nil {
		return nil, err
	}
	if peers := f.all(); len(peers) > 0 {
		d.cfg.AddPeers(id, peers)
	}
	return m, nil
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
