package upload

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	speedSpan   = time.Second     // of one measurement
	speedMemory = 5 * time.Second // for which measurements count
)

// speedometer tells how fast bytes go, from what it is told now and then. Its time is that
// for which there was sending, so that a pause that was meant is no slowness.
type speedometer struct {
	points []point // of the last speedMemory and a bit, in order
	shown  shoal.Rate
}

// point is how many bytes there were at a time.
type point struct {
	at    time.Duration
	bytes int64
}

// add says how many bytes have been sent by now.
func (s *speedometer) add(now time.Duration, bytes int64) {
	if n := len(s.points); n > 0 && now > s.points[n-1].at {
		s.shown = s.shown/2 + rateBetween(s.points[n-1], point{now, bytes})/2
	}
	s.points = append(s.points, point{now, bytes})
	first := slices.IndexFunc(s.points, func(p point) bool { return now-p.at <= speedMemory })
	s.points = slices.Delete(s.points, 0, max(0, first))
}

// best is the fastest second of the last few: a line that has just come back is as fast as it
// is now. The first second of all does not count, in which buffers fill.
func (s *speedometer) best() shoal.Rate {
	var best shoal.Rate
	for i, from := range s.points {
		if from.at < speedSpan {
			continue
		}
		for _, to := range s.points[i:] {
			if to.at-from.at >= speedSpan {
				best = max(best, rateBetween(from, to))
				break
			}
		}
	}
	return best
}

// usual is the median of the last few seconds, of an even count the lower one; 0: there were too few of them to tell.
func (s *speedometer) usual() shoal.Rate {
	var rates []shoal.Rate
	for i := len(s.points) - 1; i > 0; {
		to := s.points[i]
		for i--; i > 0 && to.at-s.points[i].at < speedSpan; i-- {
		}
		if from := s.points[i]; from.at >= speedSpan && to.at-from.at >= speedSpan {
			rates = append(rates, rateBetween(from, to))
		}
	}
	if len(rates) < 3 {
		return 0
	}
	slices.Sort(rates)
	return rates[(len(rates)-1)/2]
}

// smooth is a figure for people.
func (s *speedometer) smooth() shoal.Rate { return s.shown }

func rateBetween(a, b point) shoal.Rate {
	return shoal.Rate(float64(max(0, b.bytes-a.bytes)) / (b.at - a.at).Seconds())
}
