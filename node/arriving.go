package node

import (
	"context"
	"math"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/swarm"
)

const (
	arrivalLook  = time.Second      // between looks at what peers offer
	arrivalQuiet = 10 * time.Second // for which nothing came though peers offer it: it will not come
)

// arrivingSwarm is what keepForUpload needs of a [swarm.Swarm].
type arrivingSwarm interface {
	Claim(ctx context.Context, most int64, allowed *shoal.PieceSet) (first, count int, ok bool)
	Release(first, count int)
	Stats() swarm.Stats
}

// arrive joins a content's swarm while an upload brings the content: no upstream can have more. Nor is a peer asked for it, as what
// a peer has has come to the store, by another server where several share one, and is only not seen yet.
func (n *Node) arrive(m *shoal.Manifest, st swarm.Store) (library.ArrivingSession, error) {
	s, err := n.hub.Join(m, st, false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // Leave ends it
	ses := &session{Swarm: s, cancel: cancel, ended: make(chan struct{})}
	claimAll(ctx, s)
	go func() {
		defer close(ses.ended)
		keepForUpload(ctx, s, m.NumPieces())
	}()
	return ses, nil
}

// claimAll claims all that is missing.
func claimAll(ctx context.Context, s arrivingSwarm) {
	for ok := true; ok; {
		_, _, ok = s.Claim(ctx, math.MaxInt64, nil)
	}
}

// keepForUpload returns when all pieces are here, or ctx ends, or when peers have offered some for a while and nothing has
// come: the upload goes on elsewhere, or never. Then they are had from peers.
func keepForUpload(ctx context.Context, s arrivingSwarm, pieces int) {
	tick := time.NewTicker(arrivalLook)
	defer tick.Stop()
	held, since := -1, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			st := s.Stats()
			missing := pieces - st.Pieces
			switch {
			case missing == 0:
				return
			case st.Pieces != held || st.Useful == 0 || st.Lacking >= missing:
				held, since = st.Pieces, now
			case now.Sub(since) >= arrivalQuiet:
				s.Release(0, pieces)
				return
			}
		}
	}
}
