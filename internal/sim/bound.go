package sim

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// Bound is a time in which no scheme can complete all nodes: the fluid bound
// max(F/u_s, F/d_min, N·F/(u_s+Σu_i)), with u_s the uplinks of all that hold the
// content from the start. A node that joins later adds that time to its F/d.
// Where carriers have lines, a carrier without the content also needs F over
// what all its lines can bring in. Rates count as payload in full frames.
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
	inbound := map[string]*rateSum{}
	for _, l := range t.Links {
		for _, c := range []string{l.A, l.B} {
			if inbound[c] == nil {
				inbound[c] = &rateSum{}
			}
			inbound[c].add(l.Rate, 1)
		}
	}
	for carrier, in := range inbound {
		if needy[carrier] {
			bound = max(bound, in.time(size))
		}
	}
	return time.Duration(bound * float64(time.Second))
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
