package supply

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// A fetch without any peer, whose only web seed has failed, ends in less than 30 s with the reason, also
// while that is being tried again (M8); one whose web seed may still turn out well goes on.
func TestLost(t *testing.T) {
	const seed = "http://192.0.2.1/file"
	m, _ := fixture(t, 1<<20)
	m, err := m.WithWebSeeds([]string{seed})
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := fallback.New(fallback.Config{
		Manifest: m, Pieces: &leased{swarm: newLonely(m)}, Upstreams: []fallback.Upstream{{Name: seed, URL: seed, Kind: fallback.WebSeed}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const failsAt = 10 * time.Second
	for _, tt := range []struct {
		name   string
		fails  func(*trouble, time.Time) // once
		refuse api.Refusal               // the tracker's answer since then
		leased bool                      // it is tried again
		ends   time.Duration             // 0: not at all
	}{
		{"is broken", func(tr *trouble, _ time.Time) { tr.bench(seed, "status 404") }, api.NoUpstream, false, hopelessAfter},
		{"is slow, and tried again", func(tr *trouble, now time.Time) { tr.pause(now, seed, "too slow") }, "", true, lostAfter},
		{"is slow, and not to be had", func(tr *trouble, now time.Time) { tr.pause(now, seed, "too slow") }, api.AllLeased, false, lostAfter},
		{"is tried", func(*trouble, time.Time) {}, "", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sw := newLonely(m)
			s := New(Config{
				Manifest: m, Swarm: sw, Held: sw.Held, Leases: &slowLeaser{after: time.Hour}, Session: "s", Log: slog.New(slog.DiscardHandler),
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer s.running.Wait()
			defer cancel()
			begun := time.Unix(0, 0)
			if tt.leased {
				s.loans = []*loan{newLoan(api.Lease{Pieces: []api.Run{{Count: m.NumPieces()}}, Expires: 3600}, begun)}
				w := &worker{name: seed, fetcher: fetcher, pieces: &leased{swarm: sw}, limiter: rate.NewLimiter(rate.Inf, 0), cancel: func() {}}
				s.loans[0].worker, s.workers[seed] = w, w
			}
			var ended error
			var took time.Duration
			for ; ended == nil && took < time.Minute; took += tickInterval {
				if took == failsAt {
					tt.fails(&s.trouble, begun.Add(took))
					s.trouble.refused = tt.refuse
				}
				ended = s.tick(ctx, begun.Add(took))
			}
			switch {
			case tt.ends == 0 && ended != nil:
				t.Errorf("ended after %v: %v", took, ended)
			case tt.ends != 0 && (took < tt.ends || took > tt.ends+time.Second || took >= 30*time.Second):
				t.Errorf("ended after %v, want %v", took, tt.ends)
			case tt.ends != 0 && (!errors.Is(ended, shoal.ErrUnavailable) || !strings.Contains(ended.Error(), seed)):
				t.Errorf("%v", ended)
			}
		})
	}
}
