package supply

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// taken is a swarm that gets from its peers what a worker is about to claim.
type taken struct {
	*lonely
	begun time.Time

	mu    sync.Mutex
	asked []time.Duration
}

func (s *taken) Claim(_ context.Context, _ int64, allowed *shoal.PieceSet) (first, count int, ok bool) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Since(s.begun))
	s.mu.Unlock()
	s.lonely.mu.Lock()
	defer s.lonely.mu.Unlock()
	for piece := range allowed.All() {
		s.held.Add(piece)
	}
	return 0, 0, false
}

// claims are when the swarm was asked for pieces since the last call.
func (s *taken) claims() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.asked
	s.asked = nil
	return list
}

// slow is a tracker with one piece to lease, and another one some time later.
type slow struct {
	upstream api.Upstream
	begun    time.Time
	times    []time.Duration // at which it grants

	mu      sync.Mutex
	granted int
}

func (t *slow) Lease(_ context.Context, _ api.LeaseRequest) (api.LeaseReply, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.granted == len(t.times) {
		return api.LeaseReply{Reason: api.AllLeased, RetryAfter: time.Hour.Seconds()}, nil
	}
	if wait := t.times[t.granted] - time.Since(t.begun); wait > 0 {
		return api.LeaseReply{Reason: api.AllLeased, RetryAfter: wait.Seconds()}, nil
	}
	t.granted++
	return api.LeaseReply{Lease: &api.Lease{
		ID: "x", Upstream: t.upstream, Pieces: []api.Run{{First: t.granted, Count: 1}}, Expires: time.Hour.Seconds(),
	}}, nil
}

func (t *slow) ReturnLease(context.Context, string, int64) error { return nil }

// A worker without a lease wakes up seldom, and asks for what the next one allows in the
// moment that it is granted.
func TestWorkerBetweenLeases(t *testing.T) {
	first, second := 3*time.Second, 9*time.Second+123*time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture(t, 1<<20)
		url := "http://192.0.2.1/f"
		l := &slow{upstream: api.Upstream{Name: url, Kind: api.WebSeed, URLs: []string{url}}, begun: time.Now(), times: []time.Duration{first, second}}
		sw := &taken{lonely: newLonely(m), begun: time.Now()}
		s := New(Config{Manifest: m, Swarm: sw, Held: sw.Held, Leases: l, Session: "s", Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()

		time.Sleep(first + time.Second)
		synctest.Wait()
		w := s.workers[url]
		if got := sw.claims(); !slices.Contains(got, first) || w == nil {
			t.Fatalf("a lease after %v, asked for pieces after %v", first, got)
		}
		// What it finds by itself, unless it is told, shows how often it looks.
		const look = 4 * time.Second
		here := shoal.NewPieceSet(m.NumPieces())
		here.Add(1) // by the first lease
		nothing := w.pieces.allowed.Swap(here)
		time.Sleep(look)
		synctest.Wait()
		w.pieces.allowed.Store(nothing)
		if n := len(sw.claims()); n > int(look/(200*time.Millisecond)) {
			t.Errorf("looked for something to claim %d times in %v without a lease", n, look)
		}

		time.Sleep(second - time.Since(sw.begun))
		synctest.Wait()
		if got := sw.claims(); !slices.Contains(got, second) {
			t.Errorf("the next lease after %v, asked for pieces after %v", second, got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
