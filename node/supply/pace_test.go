package supply

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// crowd is a swarm with peers.
type crowd struct {
	*lonely
	stats func(since time.Duration) swarm.Stats
	begun time.Time

	mu    sync.Mutex
	looks int
}

func (c *crowd) Stats() swarm.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.stats(time.Since(c.begun))
}

// busy is a tracker that refuses.
type busy struct {
	retry time.Duration
	begun time.Time

	mu    sync.Mutex
	asked []asked
}

type asked struct {
	at     time.Duration
	reason api.LeaseReason
}

func (b *busy) Lease(_ context.Context, r api.LeaseRequest) (api.LeaseReply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, asked{time.Since(b.begun), r.Reason})
	return api.LeaseReply{Reason: api.Busy, RetryAfter: b.retry.Seconds()}, nil
}

func (b *busy) ReturnLease(context.Context, string, int64) error { return nil }

// watch runs a Supply for d of virtual time; during goes on beside it.
func watch(t *testing.T, d time.Duration, retry time.Duration, stats func(time.Duration) swarm.Stats, during func(*Supply)) (looks int, calls []asked) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture(t, 256<<10)
		b := &busy{retry: retry, begun: time.Now()}
		sw := &crowd{lonely: newLonely(m), stats: stats, begun: time.Now()}
		s := New(Config{Manifest: m, Swarm: sw, Held: sw.Held, Leases: b, Session: "s", Down: 8 << 20, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		var beside sync.WaitGroup
		if during != nil {
			beside.Go(func() { during(s) })
		}
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		beside.Wait()
		looks, calls = sw.looks, b.asked
	})
	return looks, calls
}

// at are the stats of a swarm with near peers that bring so many bytes a second.
func at(rate shoal.Rate) func(time.Duration) swarm.Stats {
	return func(since time.Duration) swarm.Stats {
		return swarm.Stats{Peers: 4, Useful: 4, UsefulNear: 2, Bytes: swarm.Bytes{Peers: int64(float64(rate) * since.Seconds())}}
	}
}

func nobody(time.Duration) swarm.Stats { return swarm.Stats{Lacking: 1} }

// A node that waits for nothing wakes up seldom: while all is well, and while the tracker
// has it wait.
func TestSupplyRests(t *testing.T) {
	most := int(time.Minute/restInterval) + 20
	if looks, calls := watch(t, time.Minute, 0, at(1<<20), nil); looks > most || len(calls) > 0 {
		t.Errorf("well off: %d looks in a minute, %d calls", looks, len(calls))
	}
	if looks, calls := watch(t, time.Minute, 50*time.Second, nobody, nil); looks > most || len(calls) != 2 {
		t.Errorf("refused: %d looks in a minute, %d calls", looks, len(calls))
	}
	if looks, _ := watch(t, time.Minute, 50*time.Second, at(1<<20), func(s *Supply) { s.Want(0, 1) }); looks < int(time.Minute/tickInterval)-20 {
		t.Errorf("somebody reads: %d looks in a minute", looks)
	}
}

// What is waited for is asked for as soon as the wait is over, however seldom the node
// wakes up.
func TestSupplyAsksInTime(t *testing.T) {
	const floor = shoal.Rate(8<<20) / floorShare
	first := tickInterval // when Run first looks
	type times = []time.Duration
	for name, c := range map[string]struct {
		stats  func(time.Duration) swarm.Stats
		during func(*Supply)
		retry  time.Duration
		reason api.LeaseReason
		want   times         // of the first calls
		late   time.Duration // as much later they may be
	}{
		"nobody":               {nobody, nil, 700 * time.Millisecond, api.NoPeers, times{first + startWait, first + startWait + 700*time.Millisecond}, 0},
		"nobody, and a reader": {nobody, func(s *Supply) { s.Want(0, 1) }, time.Hour, api.NoPeers, times{readerStart}, 0},
		"peers across":         {nobody, func(s *Supply) { s.Known(3, 2) }, time.Hour, api.NoPeers, times{crossWait}, 0},
		"all are far":          {nobody, func(s *Supply) { time.Sleep(time.Second / 3); s.Known(3, 0) }, time.Hour, api.CrossCarrier, times{time.Second / 3}, 0},
		"nothing comes":        {at(0), nil, time.Hour, api.Stalled, times{first + stallWait}, 0},
		"it falls silent": {func(since time.Duration) swarm.Stats { return at(1 << 20)(min(since, 9*time.Second+tickInterval/2)) }, nil, time.Hour,
			api.Stalled, times{9*time.Second + tickInterval/2 + stallWait}, restInterval},
		"too slow": {at(floor / 2), nil, time.Hour, api.SlowPeers, times{first + rateWindow}, restInterval},
		"pieces nobody has": {func(since time.Duration) swarm.Stats { st := at(1 << 20)(since); st.Lacking = 3; return st }, nil, time.Hour,
			api.Lacking, times{first + lackWait}, 0},
		"all leave": {func(since time.Duration) swarm.Stats {
			st := at(1 << 20)(since)
			if since > 5*time.Second+7 {
				st.Peers, st.Useful, st.UsefulNear, st.Lacking = 0, 0, 0, 1
			}
			return st
		}, nil, time.Hour, api.NoPeers, times{5*time.Second + 7 + startWait}, restInterval},
		"a reader waits": {at(1 << 20), func(s *Supply) { time.Sleep(10 * time.Second / 3); s.Want(0, 1) }, time.Hour, api.Lacking, times{10*time.Second/3 + readerWait}, tickInterval},
	} {
		t.Run(name, func(t *testing.T) {
			_, calls := watch(t, 15*time.Second, c.retry, c.stats, c.during)
			if len(calls) < len(c.want) {
				t.Fatalf("asked %d times", len(calls))
			}
			if calls[0].reason != c.reason {
				t.Errorf("asked because of %q, want %q", calls[0].reason, c.reason)
			}
			for i, want := range c.want {
				if got := calls[i].at; got < want || got > want+c.late {
					t.Errorf("call %d after %v, want %v, at most %v later", i, got, want, c.late)
				}
			}
		})
	}
}

// Where the seconds went does not depend on how often the node looks (B2).
func TestAccountAtAnyPace(t *testing.T) {
	var want api.Why
	for _, every := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 250 * time.Millisecond, time.Second} {
		var a account // the downlink is unknown: the best rate seen fades
		begun := time.Unix(0, 0)
		for since := time.Duration(0); since <= time.Minute; since += every {
			bytes := 1000 * min(since, 10*time.Second).Milliseconds()
			bytes += 600 * max(0, since-10*time.Second).Milliseconds()
			a.observe(begun.Add(since), circumstances{bytes: bytes, useful: 1})
		}
		if want == (api.Why{}) {
			want = a.why
		}
		if diff := a.why.Active - want.Active; diff < -1 || diff > 1 || a.why.Active+a.why.SlowPeer < 59.5 {
			t.Errorf("looking every %v: %+v, want about %+v", every, a.why, want)
		}
		if a.why.SlowPeer < 3 {
			t.Errorf("looking every %v: %+v: it was slow until the best rate had faded", every, a.why)
		}
	}
}
