package dht

import (
	"testing"
	"time"
)

// It starts after some seconds without a tracker, stops minutes after one is
// back, and short changes do neither.
func TestPower(t *testing.T) {
	var p power
	now := begin
	step := func(d time.Duration, needed, want bool) {
		t.Helper()
		now = now.Add(d)
		if got := p.next(now, needed); got != want {
			t.Fatalf("after %v: on %v, want %v", now.Sub(begin), got, want)
		}
	}
	step(0, false, false)
	step(time.Hour, true, false)
	step(onAfter-1, true, false)
	step(0, false, false) // a restart of the tracker
	step(time.Hour, true, false)
	step(onAfter, true, true)
	step(time.Hour, true, true)
	step(0, false, true)
	step(offAfter-1, false, true)
	step(0, true, true) // it is gone again
	step(time.Hour, false, true)
	step(offAfter, false, false)
	step(time.Hour, true, false)
	step(onAfter, true, true)
	p.failed(now)
	step(restAfter-1, true, false)
	step(1, true, false)
	step(onAfter, true, true)
}
