package netprobe

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func TestBook(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(d time.Duration) time.Time { return t0.Add(d) }
	path := Path{secureB, TCP}
	// measured is a result with a download of that speed.
	measured := func(at time.Time, rtt time.Duration, down int) Result {
		r := Result{Path: path, At: at, RTT: RTT{rtt, rtt}}
		if down > 0 {
			r.Down = Transfer{At: at, Goodput: shoal.Rate(down), Loss: Loss{100, 10}}
		}
		return r
	}
	get := func(t *testing.T, b *Book, now time.Time) Result {
		t.Helper()
		rs := b.Of(now, secureB)
		if len(rs) != 1 {
			t.Fatalf("%d results, want 1", len(rs))
		}
		return rs[0]
	}

	t.Run("figures are smoothed", func(t *testing.T) {
		b := NewBook(BookConfig{TTL: time.Minute})
		b.Add(t0, measured(t0, 10*time.Millisecond, 1000))
		b.Add(after(time.Second), measured(after(time.Second), 20*time.Millisecond, 3000))
		r := get(t, b, after(time.Second))
		if r.RTT.Min != 15*time.Millisecond || r.Down.Goodput != 2000 || r.Down.Loss != (Loss{150, 15}) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("each figure ages", func(t *testing.T) {
		b := NewBook(BookConfig{TTL: time.Minute})
		b.Add(t0, measured(t0, time.Millisecond, 1000))
		b.Add(after(40*time.Second), measured(after(40*time.Second), time.Millisecond, 0)) // a ping only
		if r := get(t, b, after(59*time.Second)); r.Down.Goodput != 1000 {
			t.Errorf("the ping took the speed away: %+v", r)
		}
		if r := get(t, b, after(60*time.Second)); r.Down != (Transfer{}) || r.RTT.Min == 0 {
			t.Errorf("the ping made the speed younger: %+v", r)
		}
		if rs := b.Of(after(100*time.Second), secureB); len(rs) != 0 {
			t.Errorf("still there: %+v", rs)
		}
	})
	t.Run("a failure counts at once, and so does what follows", func(t *testing.T) {
		b := NewBook(BookConfig{})
		b.Add(t0, measured(t0, time.Millisecond, 1000))
		b.Add(after(1), Result{Path: path, At: after(1), Err: errors.New("refused")})
		if r := get(t, b, after(1)); r.Err == nil || r.Down.Goodput != 0 {
			t.Errorf("got %+v", r)
		}
		b.Add(after(2), measured(after(2), time.Millisecond, 3000))
		if r := get(t, b, after(2)); r.Err != nil || r.Down.Goodput != 3000 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("all of them", func(t *testing.T) {
		b := NewBook(BookConfig{TTL: time.Minute})
		b.Add(t0, measured(t0, time.Millisecond, 1000))
		b.Add(after(30*time.Second), Result{Path: Path{secureB, QUIC}, At: after(30 * time.Second), Err: errors.New("refused")})
		for at, want := range map[time.Duration]int{31 * time.Second: 2, time.Minute: 1, 2 * time.Minute: 0} {
			n := 0
			for r := range b.All(after(at)) {
				if n++; r.Transport == TCP && r.Down.Goodput != 1000 {
					t.Errorf("got %+v", r)
				}
			}
			if n != want {
				t.Errorf("after %v: %d, want %d", at, n, want)
			}
		}
		for range b.All(after(time.Second)) {
			break
		}
	})
	t.Run("the older result loses", func(t *testing.T) {
		b := NewBook(BookConfig{TTL: time.Minute})
		b.Add(after(2), measured(after(2), time.Millisecond, 1000))
		b.Add(after(2), measured(after(1), time.Millisecond, 9000))
		b.Add(after(2), measured(after(2-time.Minute), time.Millisecond, 9000))
		b.Add(after(2), Result{Path: path})
		if r := get(t, b, after(2)); r.Down.Goodput != 1000 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the oldest makes room", func(t *testing.T) {
		b := NewBook(BookConfig{Max: 3})
		target := func(i int) Target { return Target{URL: fmt.Sprintf("http://%d:1", i)} }
		for i := range 5 {
			now := after(time.Duration(i) * time.Second)
			b.Add(now, Result{Path: Path{target(i), TCP}, At: now})
		}
		for i := range 5 {
			if got, want := len(b.Of(after(4*time.Second), target(i))), min(1, i/2); got != want {
				t.Errorf("target %d: %d results, want %d", i, got, want)
			}
		}
	})
}

func TestLossHeader(t *testing.T) {
	for _, l := range []Loss{{}, {1, 0}, {1234, 5}, {7, 7}} {
		h := map[string][]string{}
		l.setHeader(h)
		if got := lossFromHeader(h); got != l {
			t.Errorf("%+v came back as %+v", l, got)
		}
	}
	for _, s := range []string{"sent=1, lost=2", "sent=-1, lost=-2", "sent=1", "sent=, lost=", "lost=1, sent=2", "sent=99999999999999999999, lost=0", "sent=1, lost=0, x"} {
		if got := lossFromHeader(map[string][]string{packetsHeader: {s}}); got != (Loss{}) {
			t.Errorf("%q: %+v, want unknown", s, got)
		}
	}
}

func TestLossSince(t *testing.T) {
	for _, c := range []struct{ later, earlier, want Loss }{
		{Loss{30, 3}, Loss{10, 1}, Loss{20, 2}},
		{Loss{30, 1}, Loss{10, 3}, Loss{20, 0}}, // losses were taken back
		{Loss{30, 0}, Loss{}, Loss{}},
		{Loss{}, Loss{10, 0}, Loss{}},
		{Loss{5, 0}, Loss{10, 0}, Loss{}}, // not the same connection
		{Loss{11, 9}, Loss{10, 0}, Loss{1, 1}},
	} {
		if got := c.later.since(c.earlier); got != c.want {
			t.Errorf("%+v since %+v: %+v, want %+v", c.later, c.earlier, got, c.want)
		}
	}
}
