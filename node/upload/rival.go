package upload

import (
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	besideShare = 8        // of the upload's bytes, for a path that races beside it
	besideMost  = 64 << 20 // bytes; the same

	// outrun is by what factor another server must be ahead of the present one while both share this end's line
	// for the upload to move at once: one connection against several, it is the faster one.
	outrun = 1.1
	// A race decides that has run for so long: in less, a transfer has only begun.
	decisiveTime = 600 * time.Millisecond
	decisiveRTTs = 8

	sampleTime = 50 * time.Millisecond // between looks at how far the transfer is
)

// raced is what a race beside a transfer has shown.
type raced struct {
	heat
	ups  []netprobe.Transfer
	here shoal.Rate // of the transfer, in the second half of the time, when buffers are full
	took time.Duration
}

// race measures the nearest other servers beside the first seconds of the transfer, where that was not done
// before: so the first byte does not wait for it, and what is sent at the right server meanwhile counts.
func (t *transfer) race() {
	if !t.unraced || t.lacks(t.route) < raceAbove {
		return
	}
	t.unraced = false
	others := slices.DeleteFunc(t.byDistance(), func(c Candidate) bool {
		return c.key() == t.route.candidate.key() || t.run.refused[c.key()] != nil
	})
	h := t.heat(others)
	if len(h.paths) == 0 {
		return
	}
	for i := range h.steps {
		h.steps[i].Time = max(h.steps[i].Time, lookTime)
		h.steps[i].Bytes = max(minStepBytes, min(besideMost, t.size()/besideShare))
	}
	h.grace = max(h.grace, lookTime) // nothing waits for who has lost its last packets
	t.looking = true
	t.wg.Go(func() {
		seen := t.raceBeside(h)
		select {
		case t.raced <- seen:
		case <-t.ctx.Done():
		}
	})
}

func (t *transfer) raceBeside(h heat) raced {
	began := time.Now()
	now := func() point { return point{time.Since(began), t.sentSoFar()} }
	ended := make(chan []netprobe.Transfer, 1)
	go func() { ended <- t.prober.race(t.ctx, h) }()
	tick := time.NewTicker(sampleTime)
	defer tick.Stop()
	for points := []point{now()}; ; {
		select {
		case ups := <-ended:
			end := now()
			half := points[len(points)-1]
			for len(points) > 0 && points[0].at <= end.at/2 {
				half, points = points[0], points[1:]
			}
			return raced{h, ups, rateBetween(half, end), end.at}
		case <-tick.C:
			points = append(points, now())
		}
	}
}

// considerRace enters what a race has shown, and says whether to leave for its winner. What is close to the present server,
// or was measured for too short a time, is looked at alone later, see [doubts].
func (t *transfer) considerRace(seen raced) error {
	t.looking = false
	own := netprobe.Transfer{At: time.Now(), Goodput: max(seen.here, 1)}
	if i := t.index(t.route.path); i >= 0 {
		seen.paths, seen.ups = append(seen.paths, i), append(seen.ups, own)
	}
	t.enterRace(seen.paths, seen.ups)
	t.logMeasured()
	// From here on the transfer has the line for itself.
	t.began, t.idle, t.speed, t.growth = time.Now(), 0, speedometer{}, newGrowth(0, t.growth.most)
	if seen.took < max(decisiveTime, decisiveRTTs*t.route.rtt) {
		return nil
	}
	for _, rt := range t.routes() {
		if rt.candidate.key() == t.route.candidate.key() || t.run.refused[rt.candidate.key()] != nil {
			continue
		}
		if !t.outruns(rt, own.Goodput, t.left(), t.lacks(rt)) {
			return nil
		}
		rt.why = "it is faster than the server before"
		return better{fmt.Errorf("%w: %s takes %s/s, %s %s/s beside it", shoal.ErrUnavailable,
			t.route.candidate.Name, shoal.Size(own.Goodput).Short(), rt.candidate.Name, shoal.Size(rt.up).Short()), rt}
	}
	return nil
}

// outruns reports whether to move to another server that was measured beside the transfer, which carried
// so much meanwhile and has so much left: it is faster, by how much shows there.
func (s *session) outruns(rt route, here shoal.Rate, left, lacks int64) bool {
	return float64(rt.up) >= outrun*float64(here) && worthMoving(left, here, lacks, s.hope(rt.path, here))
}
