package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Events come by time, and of two at the same time in the order they were made.
func TestQueueOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	q := queue{pushed: math.MaxUint32 - 1000} // the count goes over its end
	var want []event
	check := func() {
		t.Helper()
		got := q.pop()
		slices.SortStableFunc(want, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		if got.at != want[0].at || got.piece != want[0].piece {
			t.Fatalf("event %d at %v, want %d at %v", got.piece, got.at, want[0].piece, want[0].at)
		}
		want = want[1:]
	}
	for i := range 2000 {
		e := event{at: time.Duration(rng.IntN(50)), piece: int32(i)}
		q.push(e)
		want = append(want, e)
		if rng.IntN(3) == 0 {
			check()
		}
	}
	for len(want) > 0 {
		check()
	}
	if q.len() != 0 || len(q.events) > 2000 {
		t.Errorf("%d events too many, room for %d", q.len(), len(q.events))
	}
}

func TestLinkCarriesOneAfterTheOther(t *testing.T) {
	l := newLink(1000)
	for i, step := range []struct {
		now   time.Duration
		bytes int
		want  time.Duration
	}{
		{0, 500, 500 * time.Millisecond},
		{100 * time.Millisecond, 500, time.Second},    // waits for the first
		{3 * time.Second, 1000, 4 * time.Second},      // after a pause
		{4 * time.Second, 0, 4 * time.Second},         // nothing
		{4 * time.Second, 1, 4001 * time.Millisecond}, // at once
	} {
		if got := l.pass(step.now, step.bytes); got != step.want {
			t.Errorf("step %d: left at %v, want %v", i, got, step.want)
		}
	}
	l = newLink(1000)
	l.until, l.then = time.Second, 500
	for i, want := range []time.Duration{600, 1200, 2400} { // the second begins at the old rate
		if got := l.pass(0, 600); got != want*time.Millisecond {
			t.Errorf("message %d over a line that gets worse: left at %v, want %v ms", i, got, int64(want))
		}
	}
	unlimited := newLink(0)
	if got := unlimited.pass(time.Second, 1<<30); got != time.Second {
		t.Errorf("an unlimited link took until %v", got)
	}
}
