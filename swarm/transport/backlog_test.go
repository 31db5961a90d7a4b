package transport

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBacklogWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		most int
		end  func(b *Backlog, cancel func())
	}{
		"drained":           {0, func(b *Backlog, _ func()) { b.add(-60); b.add(-40) }},
		"drained in part":   {40, func(b *Backlog, _ func()) { b.add(-60) }},
		"connection closed": {0, func(b *Backlog, _ func()) { b.close() }},
		"context ended":     {0, func(_ *Backlog, cancel func()) { cancel() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				b := &Backlog{}
				b.Wait(ctx, 0) // nothing is queued
				b.add(100)
				b.Wait(ctx, 100)
				done := false
				go func() { b.Wait(ctx, tt.most); done = true }()
				synctest.Wait()
				if done {
					t.Fatal("did not wait")
				}
				b.add(20)
				b.add(-20)
				synctest.Wait()
				if done {
					t.Fatal("stopped waiting too early")
				}
				tt.end(b, cancel)
				synctest.Wait()
				if !done {
					t.Fatal("waits for ever")
				}
			})
		})
	}
	b := &Backlog{}
	b.add(1)
	b.close()
	b.Wait(t.Context(), 0) // returns: the connection is closed
}

// Waiters whose context ended don't pile up while the connection stands still.
func TestBacklogForgetsWaiters(t *testing.T) {
	b := &Backlog{}
	b.add(1)
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		b.Wait(ctx, 0)
		cancel()
	}
	if len(b.waiters) > 0 {
		t.Errorf("%d waiters", len(b.waiters))
	}
}

func TestBacklogIsConcurrent(t *testing.T) { // run with -race
	b := &Backlog{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				b.add(10)
				b.Wait(t.Context(), 1<<20)
				b.add(-10)
				b.Wait(t.Context(), 70)
			}
		})
	}
	wg.Wait()
	if b.bytes != 0 || len(b.waiters) != 0 {
		t.Errorf("%d bytes, %d waiters", b.bytes, len(b.waiters))
	}
}
