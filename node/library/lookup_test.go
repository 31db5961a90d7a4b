package library

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
)

// peersAfter is a Config.FromPeers of which a peer tells the world's content after d;
// negative: never. asking counts the calls that have not returned.
func (w *world) peersAfter(d time.Duration, asking *atomic.Int64) func(context.Context, shoal.ContentID) (*shoal.Manifest, error) {
	return func(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
		asking.Add(1)
		defer asking.Add(-1)
		var told <-chan time.Time
		if d >= 0 && id == w.manifest.ID() {
			told = time.After(d)
		}
		select {
		case <-told:
			return w.manifest, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// An ID is enough to fetch a content, with or without a tracker (B4, M6).
func TestManifestFromPeers(t *testing.T) {
	away := fmt.Errorf("%w: connection refused", shoal.ErrUnavailable)
	for name, tt := range map[string]struct {
		none  bool  // there is no tracker
		away  error // no tracker answers
		knows bool
		peers time.Duration
		begun time.Duration // when the fetch begins; negative: it fails
		fails time.Duration
	}{
		"the tracker knows it":               {knows: true, peers: -1},
		"the tracker is silent":              {away: away, peers: time.Minute, begun: time.Minute},
		"no tracker":                         {none: true, peers: time.Minute, begun: time.Minute},
		"the tracker does not know it":       {peers: time.Second, begun: time.Second},
		"nobody knows it":                    {peers: -1, begun: -1, fails: strangerTime},
		"a peer knows it, and is too late":   {peers: strangerTime + time.Second, begun: -1, fails: strangerTime},
		"tracker and peers both know it":     {knows: true, peers: 0},
		"the tracker is silent, peers first": {away: away, peers: 0, begun: 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var asking atomic.Int64
				w.cfg.FromPeers = w.peersAfter(tt.peers, &asking)
				w.trackers = tt.away
				if !tt.knows {
					clear(w.torrents)
				}
				if tt.none {
					w.cfg.Torrents = nil
				}
				w.want("", false)
				if wait := max(tt.begun, tt.fails); wait > 0 {
					time.Sleep(wait - time.Millisecond)
					synctest.Wait()
					if n := len(w.sessions) + len(w.outcomes()); n != 0 || asking.Load() != 1 {
						t.Errorf("it began or ended too early; %d are asking peers", asking.Load())
					}
					time.Sleep(2 * time.Millisecond)
				}
				synctest.Wait()
				if got := w.outcomes(); tt.begun < 0 && (len(got) != 1 || !errors.Is(got[0], shoal.ErrNotFound)) || tt.begun >= 0 && len(got) > 0 {
					t.Errorf("outcomes: %v", got)
				}
				if n := len(w.sessions); n == 1 != (tt.begun >= 0) {
					t.Errorf("%d sessions", n)
				}
				if n := asking.Load(); n != 0 {
					t.Errorf("%d are still asking peers", n)
				}
			})
		})
	}
}

// A reader's content comes from peers, too, and what nobody knows is refused soon.
func TestLookUpAtPeers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var asking atomic.Int64
		clear(w.torrents)
		w.cfg.FromPeers = w.peersAfter(time.Second, &asking)
		r, err := w.Read(t.Context(), w.manifest.ID())
		if err != nil || r.Manifest() != w.manifest {
			t.Fatalf("read: %v", err)
		}
		r.Close()
		begun := time.Now()
		if _, err := w.Read(t.Context(), shoal.ContentID{1}); !errors.Is(err, shoal.ErrNotFound) || time.Since(begun) != strangerTime {
			t.Errorf("what nobody knows: %v after %v", err, time.Since(begun))
		}
		for i := range maxStrangers {
			go func() { _, _ = w.Read(t.Context(), shoal.ContentID{2, byte(i)}) }()
		}
		synctest.Wait()
		begun = time.Now()
		if _, err := w.Read(t.Context(), shoal.ContentID{3}); !errors.Is(err, shoal.ErrNotFound) || time.Since(begun) != 0 {
			t.Errorf("one stranger too many: %v after %v", err, time.Since(begun))
		}
		time.Sleep(strangerTime)
		synctest.Wait()
		if n := asking.Load(); n != 0 {
			t.Errorf("%d are still asking peers", n)
		}
		w.cfg.Torrents = nil
		begun = time.Now()
		if _, err := w.Read(t.Context(), shoal.ContentID{1}); !errors.Is(err, shoal.ErrNotFound) || time.Since(begun) != lookUpTime {
			t.Errorf("without a tracker: %v after %v", err, time.Since(begun))
		}
	})
}

// Without a tracker a content is seeded for those who ask this node.
func TestSeedWithoutTracker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Torrents = nil
		id := w.manifest.ID()
		if have, total, ok := w.Holds(id); ok || w.Manifest(id) != nil {
			t.Errorf("before: %d of %d", have, total)
		}
		if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil {
			t.Fatal(err)
		}
		if have, total, ok := w.Holds(id); !ok || have != 10 || total != 10 || w.Manifest(id).ID() != id || len(w.Lacking()) > 0 {
			t.Errorf("after: %d of %d, %v; lacking %v", have, total, ok, w.Lacking())
		}
	})
}

func TestLacking(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want("", false)
		s := w.session()
		s.receive(t, w.data, 0, 4)
		id := w.manifest.ID()
		if have, total, ok := w.Holds(id); !ok || have != 4 || total != 10 {
			t.Errorf("holds %d of %d, %v", have, total, ok)
		}
		if got := w.Lacking(); len(got) != 1 || got[0] != id {
			t.Errorf("lacking: %v", got)
		}
		s.receive(t, w.data, 4, 10)
		synctest.Wait()
		if got := w.Lacking(); len(got) != 0 {
			t.Errorf("lacking when complete: %v", got)
		}
	})
}
