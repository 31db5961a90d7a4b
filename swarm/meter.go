package swarm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
)

// meterSeconds is the time over which rates are averaged.
const meterSeconds = 5

// meter measures payload rates. It is safe for concurrent use.
type meter struct {
	down, up atomic.Int64 // bytes so far

	mu   sync.Mutex
	past [meterSeconds + 1][2]int64 // the counters at the last full seconds
	n    int                        // samples taken
}

func (m *meter) run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		m.sample()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (m *meter) sample() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.past[m.n%len(m.past)] = [2]int64{m.down.Load(), m.up.Load()}
	m.n++
}

func (m *meter) rates() (down, up shoal.Rate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n < 2 {
		return 0, 0
	}
	span := min(m.n-1, meterSeconds)
	last, first := m.past[(m.n-1)%len(m.past)], m.past[(m.n-1-span)%len(m.past)]
	return shoal.Rate((last[0] - first[0]) / int64(span)), shoal.Rate((last[1] - first[1]) / int64(span))
}
