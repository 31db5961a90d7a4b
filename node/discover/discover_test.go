package discover

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// fakeSource notes when it is asked, and finds one peer at once.
type fakeSource struct {
	name string
	peer shoal.NodeID
	fail bool

	mu     sync.Mutex
	asked  []time.Duration // since begun
	begun  time.Time
	asking int
}

func (f *fakeSource) Name() string { return f.name }

func (f *fakeSource) Find(ctx context.Context, _ shoal.ContentID, found func(swarm.Peer)) error {
	f.mu.Lock()
	f.asked = append(f.asked, time.Since(f.begun).Truncate(time.Second))
	f.asking++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asking--
	}()
	if f.fail {
		return errors.New("broken")
	}
	if f.peer != "" {
		found(swarm.Peer{ID: f.peer})
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// log is when it was asked, and how often it is being asked now.
func (f *fakeSource) log() (asked []time.Duration, asking int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked), f.asking
}

// fixture is a node's view that a test changes as it goes.
type fixture struct {
	mu     sync.Mutex
	wanted []shoal.ContentID
	alone  bool
	added  map[shoal.ContentID][]shoal.NodeID
}

func (x *fixture) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

func (x *fixture) config(sources ...Use) Config {
	x.added = make(map[shoal.ContentID][]shoal.NodeID)
	return Config{
		Sources: sources,
		Wanted: func() []shoal.ContentID {
			x.mu.Lock()
			defer x.mu.Unlock()
			return slices.Clone(x.wanted)
		},
		Alone: func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return x.alone
		},
		AddPeers: func(id shoal.ContentID, ps []swarm.Peer) {
			x.set(func() {
				for _, p := range ps {
					x.added[id] = append(x.added[id], p.ID)
				}
			})
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

func TestWhenSourcesAreAsked(t *testing.T) {
	id := shoal.ContentID{1}
	synctest.Test(t, func(t *testing.T) {
		lan := &fakeSource{name: "LAN", peer: "a", begun: time.Now()}
		dht := &fakeSource{name: "DHT", peer: "b", begun: time.Now()}
		x := &fixture{wanted: []shoal.ContentID{id}}
		d := New(x.config(Use{lan, 3 * time.Second}, Use{dht, -1}))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })

		expect := func(after time.Duration, what string, lanAsked, dhtAsked []time.Duration, asking int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			l, askingLAN := lan.log()
			d, askingDHT := dht.log()
			if !slices.Equal(l, lanAsked) || !slices.Equal(d, dhtAsked) || askingLAN+askingDHT != asking {
				t.Errorf("%s: LAN asked at %v, DHT at %v, %d under way", what, l, d, askingLAN+askingDHT)
			}
		}
		s := func(at ...time.Duration) (out []time.Duration) {
			for _, a := range at {
				out = append(out, a*time.Second)
			}
			return out
		}
		expect(2*time.Second, "with a tracker, soon", nil, nil, 0)
		expect(8*time.Second, "with a tracker, later", s(3), nil, 1)
		x.set(func() { x.alone = true })
		expect(10*time.Second, "the tracker falls silent", s(3, 10), s(10), 2)
		x.set(func() { x.alone = false })
		expect(10*time.Second, "it is back", s(3, 10), s(10), 1)
		x.set(func() { x.wanted = nil })
		expect(10*time.Second, "nothing is wanted", s(3, 10), s(10), 0)
		cancel()
		running.Wait()
		if !slices.Equal(x.added[id], []shoal.NodeID{"a", "a", "b"}) && !slices.Equal(x.added[id], []shoal.NodeID{"a", "b", "a"}) {
			t.Errorf("added %v", x.added)
		}
	})
}

// A source that fails is asked again, and costs the others nothing.
func TestBrokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &fakeSource{name: "broken", fail: true, begun: time.Now()}
		good := &fakeSource{name: "good", peer: "a", begun: time.Now()}
		x := &fixture{wanted: []shoal.ContentID{{1}}, alone: true}
		d := New(x.config(Use{broken, 0}, Use{good, 0}))
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		d.Run(ctx)
		if !slices.Equal(broken.asked, []time.Duration{0, askAgain, 2 * askAgain}) || len(good.asked) != 1 || len(x.added) != 1 {
			t.Errorf("asked the broken one at %v, the good one at %v", broken.asked, good.asked)
		}
	})
}

// What is wanted may be very much.
func TestSearchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fakeSource{name: "LAN", begun: time.Now()}
		x := &fixture{alone: true}
		for i := range 2 * maxPlaces {
			x.wanted = append(x.wanted, shoal.ContentID{byte(i), byte(i >> 8)})
		}
		d := New(x.config(Use{source, 0}))
		ctx, cancel := context.WithCancel(t.Context())
		go d.Run(ctx)
		time.Sleep(turnTime / 2)
		synctest.Wait()
		if _, n := source.log(); n != maxPlaces {
			t.Errorf("%d contents are looked for", n)
		}
		x.set(func() { x.wanted = x.wanted[maxPlaces:] })
		time.Sleep(turnTime / 2)
		synctest.Wait()
		if asked, n := source.log(); n != maxPlaces || len(asked) != 2*maxPlaces {
			t.Errorf("%d contents are looked for, %d in all", n, len(asked))
		}
		cancel()
		synctest.Wait()
		if _, n := source.log(); n != 0 {
			t.Errorf("%d searches go on", n)
		}
	})
}

func TestManifest(t *testing.T) {
	id := shoal.ContentID{1}
	synctest.Test(t, func(t *testing.T) {
		lan := &fakeSource{peer: "a"}
		dht := &fakeSource{peer: "b"}
		x := &fixture{}
		cfg := x.config(Use{lan, time.Hour}, Use{dht, -1})
		want := new(shoal.Manifest)
		cfg.Fetch = func(ctx context.Context, got shoal.ContentID, peers <-chan swarm.Peer) (*shoal.Manifest, error) {
			first, second := <-peers, <-peers
			if got != id || first.ID == second.ID {
				t.Errorf("asked %s and %s for %s", first.ID, second.ID, got)
			}
			return want, nil
		}
		m, err := New(cfg).Manifest(t.Context(), id)
		if m != want || err != nil || len(x.added[id]) != 2 || lan.asking+dht.asking > 0 {
			t.Errorf("%v, %v; added %v, %d searches go on", m, err, x.added, lan.asking+dht.asking)
		}
		cfg.Fetch = func(ctx context.Context, _ shoal.ContentID, _ <-chan swarm.Peer) (*shoal.Manifest, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if m, err := New(cfg).Manifest(ctx, id); m != nil || !errors.Is(err, context.DeadlineExceeded) || lan.asking+dht.asking > 0 {
			t.Errorf("nobody has it: %v, %v", m, err)
		}
	})
}
