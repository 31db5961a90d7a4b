package fallback

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// allowance is pieces of which none can be claimed at times.
type allowance struct {
	*pieces
	none  atomic.Bool
	asked atomic.Int64 // how often
}

func (a *allowance) Claim(ctx context.Context, most int64) (first, count int, ok bool) {
	a.asked.Add(1)
	if a.none.Load() {
		return 0, 0, false
	}
	return a.pieces.Claim(ctx, most)
}

// A fetcher that is told that there is nothing to claim wakes up seldom, and asks for a range in
// the same moment that it is told otherwise; else it finds out soon by itself.
func TestQuiet(t *testing.T) {
	c := oneFile(t, 6<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), &allowance{pieces: newPieces(c.m)}
		p.none.Store(true)
		o := &origin{c: c, pause: 2 * time.Millisecond}
		defer network.serve("good.test:80", o)()
		f := newFetcher(t, network, c, p.pieces, goodURL)
		f.cfg.Pieces, f.cfg.Standby = p, true
		f.cfg.Limits.Patience = quietInterval / 2 // which ends before it wakes up by itself
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()

		idles := func() {
			t.Helper()
			f.Quiet(true)
			time.Sleep(time.Second)
			before := p.asked.Load()
			time.Sleep(time.Minute)
			if n := p.asked.Load() - before; n > int64(time.Minute/quietInterval)+1 {
				t.Errorf("looked for something to claim %d times in a minute", n)
			}
		}
		idles()
		p.none.Store(false)
		f.Quiet(false)
		synctest.Wait() // no time passes
		if o.requests.Load() == 0 {
			t.Error("no request once there was something to claim")
		}
		f.Quiet(true) // while ranges are under way it is as attentive as ever
		before := p.asked.Load()
		time.Sleep(time.Minute)
		p.check(t, true)
		if p.asked.Load() == before {
			t.Error("the first range was not followed by another")
		}
		if u := f.Stats().Upstreams[0]; u.Goodput > 1 || u.Reason != "" {
			t.Errorf("a minute later: %+v", u)
		}
		idles()

		requests := o.requests.Load()
		f.Quiet(false)
		p.none.Store(true)
		time.Sleep(time.Second)
		p.mu.Lock()
		clear(p.stored)
		p.mu.Unlock()
		p.none.Store(false)
		time.Sleep(tickInterval + time.Millisecond)
		if o.requests.Load() == requests {
			t.Error("it did not look by itself")
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
