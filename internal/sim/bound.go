package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Bound is a time in which no scheme can complete all nodes: the fluid bound
// max(F/u_s, F/d_min, N·F/(u_s+Σu_i)), with u_s the uplinks of all that hold the
// content from the start. A node that joins later adds that time to its F/d.
// Where carriers have lines, a carrier without the content also needs F over
// what all its lines can bring in, and where their rates change, the time until
// they have brought in F. Rates count as payload in full frames.
// Rates that are unlimited bound nothing; the result may be 0.
func Bound(t *Topology) time.Duration {
	size := float64(t.Size)
	var sources, uplinks rateSum
	var receivers int
	var bound float64
	needy := map[string]bool{} // carriers; false: the content is there
	for i, g := range t.all() {
		if g.Fault != None {
			continue
		}
		source := i < len(t.Origins) || g.Holder
		uplinks.add(g.Up, g.Count)
		if source {
			sources.add(g.Up, g.Count)
			needy[g.Carrier] = false
			continue
		}
		if _, known := needy[g.Carrier]; !known {
			needy[g.Carrier] = true
		}
		if g.Leave > 0 {
			continue
		}
		receivers += g.Count
		last := g.Join + time.Duration(float64(g.Spread)*float64(g.Count-1)/float64(g.Count))
		bound = max(bound, last.Seconds()+over(size, g.Down))
	}
	if receivers == 0 {
		return 0
	}
	bound = max(bound, sources.time(size), uplinks.time(float64(receivers)*size))
	for carrier, needs := range needy {
		if needs {
			bound = max(bound, inbound(t.Links, carrier, size))
		}
	}
	return time.Duration(bound * float64(time.Second))
}

// inbound is the time in seconds in which the lines into a carrier bring in so
// much payload; 0 where one is unlimited, or there is none.
func inbound(links []Link, carrier string, size float64) float64 {
	into := slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return l.A != carrier && l.B != carrier })
	slices.SortFunc(into, func(a, b Link) int { return cmp.Compare(a.Until, b.Until) })
	var now float64
	for i := 0; ; i++ { // from one change to the next; those that never change are the first
		var in rateSum
		for k, l := range into {
			if l.Until > 0 && k < i {
				in.add(l.Then, 1)
			} else {
				in.add(l.Rate, 1)
			}
		}
		took := in.time(size)
		if i == len(into) || took == 0 || now+took <= into[i].Until.Seconds() {
			return now + took
		}
		if d := into[i].Until.Seconds() - now; d > 0 {
			now, size = now+d, size*(1-d/took)
		}
	}
}

// rateSum adds rates up; one that is unlimited makes the sum so.
type rateSum struct {
	sum       float64 // bytes a second on the line
	unlimited bool
}

func (s *rateSum) add(r shoal.Rate, count int) {
	s.sum += float64(r) * float64(count)
	s.unlimited = s.unlimited || r == 0
}

// time is what so many bytes of payload take; 0 where the rate is unlimited.
func (s *rateSum) time(bytes float64) float64 {
	if s.unlimited || s.sum == 0 {
		return 0
	}
	return bytes * frame / segment / s.sum
}

func over(bytes float64, r shoal.Rate) float64 {
	s := rateSum{float64(r), r == 0}
	return s.time(bytes)
}
