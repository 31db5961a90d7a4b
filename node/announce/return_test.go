package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// restarted is a tracker that is away for a while, and then knows nobody.
type restarted struct {
	back time.Time

	mu    sync.Mutex
	whole map[shoal.NodeID]time.Duration // since it is back, until the node had told all
	calls map[time.Duration]int          // by second since it is back
}

func (r *restarted) Announce(ctx context.Context, msg api.Announce) (api.Reply, error) {
	since := time.Since(r.back)
	if since < 0 {
		return api.Reply{}, errors.New("connection refused")
	}
	r.mu.Lock()
	r.calls[since.Truncate(time.Second)]++
	_, known := r.whole[msg.Node.ID]
	if msg.Full && !known {
		r.whole[msg.Node.ID] = since
	}
	r.mu.Unlock()
	if !known && !msg.Full {
		return api.Reply{Resync: true}, nil
	}
	hold := time.NewTimer(time.Duration(msg.Wait * float64(time.Second)))
	defer hold.Stop()
	select {
	case <-hold.C:
	case <-ctx.Done():
	}
	return api.Reply{}, ctx.Err()
}

// However long a tracker was away: once it is back, it knows all of its nodes within
// 6 s, and they don't come at once (B4).
func TestTrackerReturns(t *testing.T) {
	const nodes = 300
	for _, tt := range []struct {
		away time.Duration
		most int // announces in a second; each node has three to make
	}{
		{2 * time.Second, 2 * nodes},
		{10 * time.Minute, 3 * nodes / 2},
	} {
		away := tt.away
		synctest.Test(t, func(t *testing.T) {
			tr := &restarted{
				back: time.Now().Add(away), whole: make(map[shoal.NodeID]time.Duration), calls: make(map[time.Duration]int),
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			for i := range nodes {
				me := Snapshot{Node: api.NodeInfo{ID: shoal.NodeID(fmt.Sprint("n", i)), Name: fmt.Sprint("n", i)}}
				a := New(tr, &fakeNode{snapshot: me}, slog.New(slog.DiscardHandler))
				a.ledger.full = false // it had told all to the tracker's earlier life
				a.ledger.node = me.Node
				running.Go(func() { a.Run(ctx) })
			}
			time.Sleep(away + 6*time.Second)
			synctest.Wait()
			if len(tr.whole) != nodes {
				t.Errorf("away for %v: after 6 s the tracker knows %d of %d nodes", away, len(tr.whole), nodes)
			}
			for second, n := range tr.calls {
				if n > tt.most {
					t.Errorf("away for %v: %d announces of %d nodes in the second after %v", away, n, nodes, second)
				}
			}
			cancel()
			running.Wait()
		})
	}
}
