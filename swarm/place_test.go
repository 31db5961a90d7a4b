package swarm

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A node may learn where it is, where its addresses are, and where a peer is that
// doesn't say so, after it has begun (M4, M7).
func TestPlaceIsLearned(t *testing.T) {
	man, data := content(t, 1<<20)
	a, b := shoal.Locality{Carrier: "a"}, shoal.Locality{Carrier: "b"}
	loopback := map[netip.Addr]shoal.Locality{netip.MustParseAddr("127.0.0.1"): b}
	for _, tt := range []struct {
		name   string
		peer   Config
		told   shoal.Locality // where we are told that the peer is
		before int            // near peers before we learn our own place
		place  shoal.Locality
		homes  map[netip.Addr]shoal.Locality
		after  int
	}{
		{"it is in another carrier", Config{Locality: b}, shoal.Locality{}, 1, a, nil, 0},
		{"it is in the same", Config{Locality: a}, shoal.Locality{}, 1, a, nil, 1},
		{"it was told of by the tracker", Config{}, b, 1, a, nil, 0},
		{"our address is in its carrier", Config{Locality: b}, shoal.Locality{}, 1, a, loopback, 1},
		{"our address is in another", Config{Locality: a}, shoal.Locality{}, 1, a, loopback, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer := newMember(t, "peer", tt.peer)
			peer.join(t, man, seeded(man, data), false)
			peer.peer.Locality = tt.told
			m := newMember(t, "m", Config{})
			s := m.join(t, man, newMemory(man), false)
			s.Claim(t.Context(), 1<<30, nil) // nothing is asked of the peer
			s.AddPeers([]Peer{peer.peer})
			near := func(n int) func() bool {
				return func() bool { st := s.Stats(); return st.Useful == 1 && st.UsefulNear == n }
			}
			within(t, time.Minute, "the peer is connected", near(tt.before))
			m.SetPlace(tt.place, tt.homes)
			within(t, time.Minute, "the peer is where it is", near(tt.after))
			if m.Locality() != tt.place {
				t.Errorf("at %v", m.Locality())
			}
		})
	}
}

// placings counts what a hub logs of being placed.
type placings struct {
	slog.Handler
	n atomic.Int64
}

func (p *placings) Enabled(context.Context, slog.Level) bool { return true }

func (p *placings) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "this node is placed" {
		p.n.Add(1)
	}
	return nil
}

// Several that say the same at a time place the node once, and connections are made
// anew once.
func TestSetPlaceAtOnce(t *testing.T) {
	t.Parallel()
	const rounds, callers = 2000, 4
	log := &placings{Handler: slog.DiscardHandler}
	h := NewHub(newTestHost(t), Config{Name: "h", Log: slog.New(log)})
	t.Cleanup(h.Close)
	for i := range rounds {
		at := shoal.Locality{Carrier: string(rune('a' + i%2))}
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range callers {
			all.Go(func() { <-begin; h.SetPlace(at, nil) })
		}
		close(begin)
		all.Wait()
	}
	if got := log.n.Load(); got != rounds {
		t.Errorf("placed %d times in %d rounds", got, rounds)
	}
}
