package discover

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

func numbered(n int) (ids []shoal.ContentID) {
	for i := range n {
		ids = append(ids, shoal.ContentID{byte(i), byte(i >> 8), 1})
	}
	return ids
}

// Contents that nobody has keep no other from being looked for: each has its turn, one
// that is new at the next look, and few of the others are disturbed for it.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const more = 10
		source := &fakeSource{name: "LAN", begun: time.Now()}
		x := &fixture{alone: true, wanted: numbered(maxPlaces)}
		d := New(x.config(Use{source, 0}))
		ctx, cancel := context.WithCancel(t.Context())
		go d.Run(ctx)
		time.Sleep(turnTime)
		synctest.Wait()
		if asked, _ := source.log(); len(asked) != maxPlaces {
			t.Errorf("%d searches began while all had a place", len(asked))
		}
		x.set(func() { x.wanted = numbered(maxPlaces + more) })
		time.Sleep(lookPeriod)
		synctest.Wait()
		if asked, n := source.log(); n != maxPlaces || len(asked) != maxPlaces+more {
			t.Errorf("%d contents are looked for, %d searches began", n, len(asked))
		}
		time.Sleep(more * lookPeriod)
		synctest.Wait()
		if asked, n := source.log(); n != maxPlaces || len(asked) != maxPlaces+2*more {
			t.Errorf("%d contents are looked for, %d searches began: those that gave way are to be back", n, len(asked))
		}
		cancel()
		synctest.Wait()
	})
}

// However many are wanted, none waits longer for its turn than all the others take.
func TestRotateIsFair(t *testing.T) {
	const n = 5*maxPlaces + 7
	var jobs []*job
	for range n {
		jobs = append(jobs, new(job))
	}
	begun := time.Unix(0, 0)
	turns := make([]int, n)
	for now := begun; now.Sub(begun) < 24*turnTime; now = now.Add(lookPeriod) {
		before := make([]bool, n)
		for i, j := range jobs {
			before[i] = j.placed
		}
		rotate(jobs, now)
		placed := 0
		for i, j := range jobs {
			if j.placed {
				placed++
				if !before[i] {
					turns[i]++
				}
			}
			if waits := now.Sub(j.turn); !j.placed && !j.turn.IsZero() && waits > 2*n/maxPlaces*turnTime {
				t.Fatalf("job %d waits for %v", i, waits)
			}
		}
		if placed != maxPlaces {
			t.Fatalf("%d have a place", placed)
		}
	}
	for i, got := range turns {
		if got < 1 {
			t.Errorf("job %d had no turn", i)
		}
	}
}

// A content that comes when all places have just been taken waits for one turn.
func TestRotateNewest(t *testing.T) {
	var jobs []*job
	for range 2 * maxPlaces {
		jobs = append(jobs, new(job))
	}
	now := time.Unix(0, 0)
	rotate(jobs, now)
	rotate(jobs, now.Add(turnTime)) // the other half's turn
	late := new(job)
	jobs = append(jobs, late)
	rotate(jobs, now.Add(2*turnTime-1))
	if late.placed {
		t.Error("a turn is cut short")
	}
	rotate(jobs, now.Add(2*turnTime))
	if !late.placed {
		t.Error("those who had a turn come before who had none")
	}
}

// Manifests that nobody has keep no other from being looked for.
func TestManifestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &fixture{}
		cfg := x.config(Use{&fakeSource{}, 0})
		there := shoal.ContentID{0xff}
		want := new(shoal.Manifest)
		var asking atomic.Int64
		cfg.Fetch = func(ctx context.Context, id shoal.ContentID, _ <-chan swarm.Peer) (*shoal.Manifest, error) {
			if id == there {
				return want, nil
			}
			if asking.Add(1) > maxPlaces {
				t.Error("more are looked for than there are places")
			}
			defer asking.Add(-1)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		d := New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan error)
		const n = maxPlaces + 1
		for _, id := range numbered(n) {
			go func() {
				_, err := d.Manifest(ctx, id)
				ends <- err
			}()
		}
		synctest.Wait()
		begun := time.Now()
		if m, err := d.Manifest(ctx, there); m != want || err != nil || time.Since(begun) > turnTime {
			t.Errorf("%v, %v after %v", m, err, time.Since(begun))
		}
		cancel()
		for range n {
			if err := <-ends; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}

// One manifest more than there are places ends few other turns, and all have theirs.
func TestManifestDisturbsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &fixture{}
		cfg := x.config(Use{&fakeSource{}, 0})
		var mu sync.Mutex
		begun, all := make(map[shoal.ContentID]int), 0
		cfg.Fetch = func(ctx context.Context, id shoal.ContentID, _ <-chan swarm.Peer) (*shoal.Manifest, error) {
			mu.Lock()
			begun[id]++
			all++
			mu.Unlock()
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		d := New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, id := range numbered(maxPlaces + 1) {
			running.Go(func() { _, _ = d.Manifest(ctx, id) })
		}
		for turn := range 3 {
			time.Sleep(turnTime + time.Second)
			mu.Lock()
			// Whoever leaves may be seen as waiting before who comes is seen as not.
			if extra := all - maxPlaces; len(begun) != maxPlaces+1 || extra > 8*(turn+1) {
				t.Errorf("after %d turns: %d have had one, %d began beyond the first ones", turn+1, len(begun), extra)
			}
			mu.Unlock()
		}
		cancel()
		running.Wait()
		if d.waiting.Load() != 0 || d.leaving.Load() != 0 {
			t.Errorf("%d wait and %d leave", d.waiting.Load(), d.leaving.Load())
		}
	})
}
