package netprobe

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func TestMeter(t *testing.T) {
	const ms = time.Millisecond
	// run adds n bytes each step from one time to another.
	run := func(m *meter, from, to, step time.Duration, n int) {
		for at := from; at <= to; at += step {
			m.add(at, n)
		}
	}
	for _, c := range []struct {
		name  string
		feed  func(*meter)
		until time.Duration
		want  shoal.Rate
	}{
		{"nothing", func(*meter) {}, time.Second, 0},
		{"one read", func(m *meter) { m.add(100*ms, 1000) }, time.Second, 10000},
		{"steady", func(m *meter) { run(m, 10*ms, 1000*ms, 10*ms, 100) }, time.Second, 10000},
		{"slow start", func(m *meter) { run(m, 10*ms, 400*ms, 10*ms, 1); run(m, 410*ms, 1000*ms, 10*ms, 100) }, time.Second, 10000},
		{"what comes late doesn't count", func(m *meter) { run(m, 10*ms, 1000*ms, 10*ms, 100); m.add(3000*ms, 1) }, time.Second, 10000},
		{"all comes late", func(m *meter) { m.add(3000*ms, 3000) }, time.Second, 1000},
		{"many reads", func(m *meter) { run(m, 10*time.Microsecond, 1000*ms, 10*time.Microsecond, 1) }, time.Second, 100000},
		{"in a burst, after the round trip", func(m *meter) { m.add(100*ms, 1000); m.add(101*ms, 1000) }, time.Second, 20000},
		{"at once", func(m *meter) { m.add(0, 1000) }, time.Second, 1e9},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m meter
			c.feed(&m)
			got := m.goodput(c.until)
			if d := float64(got) - float64(c.want); d > 0.02*float64(c.want) || d < -0.02*float64(c.want) {
				t.Errorf("%d bytes/s, want %d", got, c.want)
			}
			if len(m.points) > maxPoints {
				t.Errorf("%d points", len(m.points))
			}
		})
	}
}
