package swarm

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func TestPaced(t *testing.T) {
	const mbit = shoal.Rate(1e6 / 8)
	for _, c := range []struct {
		up, down shoal.Rate
		least    float64 // share of up
		most     float64
	}{
		{0, 32 * mbit, 0, 0}, // unknown: no limit
		{20 * mbit, 0, 0.95, 0.96},
		{20 * mbit, 20 * mbit, 0.94, 0.95},
		{4 * mbit, 32 * mbit, 0.87, 0.88}, // what the lab found best
		{1 * mbit, 1000 * mbit, 0.47, 0.48},
	} {
		got := paced(c.up, c.down)
		if f := float64(got); f < c.least*float64(c.up) || f > c.most*float64(c.up) {
			t.Errorf("up %d, down %d: %d", c.up, c.down, got)
		}
	}
}

// A block may be longer than what the limiter lets through at once.
func TestReserveMoreThanTheBurst(t *testing.T) {
	l := limiter(100_000)
	now := time.Now()
	if d := reserve(l, now, leastBurst); d != 0 {
		t.Errorf("the first burst waits %v", d)
	}
	want := 5 * time.Second / 2
	if d := reserve(l, now, 250_000); d < want-time.Millisecond || d > want+time.Millisecond {
		t.Errorf("250 kB at 100 kB/s wait %v", d)
	}
	if d := reserve(limiter(0), now, 1<<30); d != 0 {
		t.Errorf("without a limit a block waits %v", d)
	}
}
