package netprobe

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// meter records how a transfer goes on. A connection first has to find out how
// fast it may send, which takes longer than most of what one wants to send for
// a measurement; so the rate that counts is that of the second half of the time.
type meter struct {
	points []point       // in order
	every  time.Duration // least time between two points but the last
	last   point
}

// point is what had been moved at a time after the start.
type point struct {
	at    time.Duration
	bytes int64
}

// maxPoints bounds a meter's memory. Above it, points get thinner.
const maxPoints = 1024

// add records n more bytes at a time that doesn't go backwards.
func (m *meter) add(at time.Duration, n int) {
	m.last = point{at, m.last.bytes + int64(n)}
	if k := len(m.points); k > 0 && at-m.points[k-1].at < m.every {
		return
	}
	if len(m.points) == maxPoints {
		for i := range maxPoints / 2 {
			m.points[i] = m.points[2*i]
		}
		m.points = m.points[:maxPoints/2]
		m.every = max(2*m.every, time.Millisecond)
	}
	m.points = append(m.points, m.last)
}

// goodput is the rate in the second half of what happened until a time. It is
// zero where nothing was moved.
func (m *meter) goodput(until time.Duration) shoal.Rate {
	end := m.last
	for i := len(m.points) - 1; i > 0 && end.at > until; i-- {
		end = m.points[i]
	}
	from := point{}
	for _, p := range m.points {
		if p.at > end.at/2 || p.at == end.at {
			break
		}
		from = p
	}
	moved, took := end.bytes-from.bytes, max(end.at-from.at, time.Microsecond)
	if moved <= 0 {
		return 0
	}
	return shoal.Rate(max(1, float64(moved)/took.Seconds()))
}
