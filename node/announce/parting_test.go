package announce

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// releasing is a tracker that answers a held announce when a newer one comes, as
// the real one does, unless it is deaf.
type releasing struct {
	deaf bool

	mu     sync.Mutex
	held   chan struct{}
	broken []time.Duration // how long those lasted that the node broke off
}

func (r *releasing) Announce(ctx context.Context, msg api.Announce) (api.Reply, error) {
	begun := time.Now()
	r.mu.Lock()
	if r.held != nil && !r.deaf {
		close(r.held)
	}
	held := make(chan struct{})
	r.held = held
	r.mu.Unlock()
	select {
	case <-held:
	case <-time.After(time.Duration(msg.Wait * float64(time.Second))):
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		r.broken = append(r.broken, time.Since(begun))
		return api.Reply{}, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == held {
		r.held = nil
	}
	return api.Reply{Cursor: msg.Cursor}, nil
}

// An announce that is out of date is left to the newer one, which has the tracker
// answer it, so that its connection lives on; where that does not come it is broken off.
func TestPartingAnnounce(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			node, tracker := &fakeNode{snapshot: Snapshot{Node: self}}, &releasing{deaf: deaf}
			a := New(tracker, node, slog.New(slog.DiscardHandler))
			stop := start(t, a)
			time.Sleep(time.Second) // one is held
			node.set(Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Origin, 8)}})
			a.Wake()
			time.Sleep(parting + time.Second)
			tracker.mu.Lock()
			broken := len(tracker.broken)
			tracker.mu.Unlock()
			if (broken > 0) != deaf {
				t.Errorf("deaf %v: %d announces broken off", deaf, broken)
			}
			stop()
		})
	}
}
