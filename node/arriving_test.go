package node

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// fakeArrival is a swarm whose state the test sets.
type fakeArrival struct {
	mu       sync.Mutex
	stats    swarm.Stats
	released bool
}

func (f *fakeArrival) Claim(context.Context, int64, *shoal.PieceSet) (first, count int, ok bool) {
	return 0, 0, false
}

func (f *fakeArrival) Release(int, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.released = true
}

func (f *fakeArrival) Stats() swarm.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// What is missing is left to the upload as long as that brings anything, or peers have nothing more.
func TestKeepForUpload(t *testing.T) {
	const pieces = 10
	for name, c := range map[string]struct {
		next func(s *swarm.Stats) // once a second
		want bool                 // released
	}{
		"no peers":               {func(*swarm.Stats) {}, false},
		"paused":                 {func(s *swarm.Stats) { s.Useful, s.Pieces, s.Lacking = 1, 5, 5 }, false},
		"seen a little later":    {func(s *swarm.Stats) { s.Useful, s.Pieces, s.Lacking = 1, 5, 4+(s.Lacking+1)%2 }, false},
		"slow":                   {func(s *swarm.Stats) { s.Useful, s.Lacking, s.Sent, s.Pieces = 1, 1, s.Sent+1, int(s.Sent/8) }, false},
		"goes on elsewhere":      {func(s *swarm.Stats) { s.Useful, s.Pieces, s.Lacking = 1, 5, 0 }, true},
		"some are had elsewhere": {func(s *swarm.Stats) { s.Useful, s.Pieces, s.Lacking = 2, 5, 3 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				f := &fakeArrival{}
				done := make(chan struct{})
				go func() { defer close(done); keepForUpload(ctx, f, pieces) }()
				for ctx.Err() == nil {
					time.Sleep(arrivalLook / 2)
					f.mu.Lock()
					c.next(&f.stats)
					f.mu.Unlock()
					time.Sleep(arrivalLook / 2)
				}
				<-done
				if f.released != c.want {
					t.Errorf("released: %v", f.released)
				}
			})
		})
	}
}
