//go:build linux

package main

import (
	"math"
	"time"

	"github.com/shoal-cdn/shoal"
)

// wirePayload is the share of payload in a full Ethernet frame of TCP: links
// count whole frames. See package lab.
const wirePayload = 1448.0 / 1514

// payload is the rate, in bytes/s, at which a link of this rate carries payload.
func payload(r shoal.Rate) float64 { return float64(r) * wirePayload }

// bounds are the fluid lower bounds of the nodes' times, in the order of
// s.nodes: no scheme brings everything to all nodes sooner. Where all nodes
// begin together it is the same for all, the time of the last:
//
//	max(F/u_s, F/d_min, N·F/(u_s+Σu_i))
//
// with payload rates, over the nodes that are waited for; those that are not
// help with their uplinks. Where nodes begin one after another, a node's
// own bound is max(F/d_i, F/u_s − a_i) after its arrival at a_i: its link, and
// the origin's, which must have sent everything once. Those nodes help each
// other too little or too much for the third term to bound a single one.
//
// Where there is a mesh it is also what all of its lines together bring into the carrier
// that they bring the least into.
//
// Where a line is between the origin and the nodes it is the line's time for
// one copy. Bounds are 0 where links have no limit.
func (s scenario) bounds() []time.Duration {
	b := make([]time.Duration, len(s.nodes))
	if s.line != nil {
		for i := range b {
			b[i] = seconds(float64(s.size) / s.line.payload())
		}
		return b
	}
	if s.oneHost || s.origin.up == 0 {
		return b
	}
	size := float64(s.size)
	up, all := payload(s.origin.up), payload(s.origin.up)
	var together float64
	for _, n := range s.nodes {
		all += payload(n.up)
		if !n.aside {
			together = max(together, size/payload(n.down))
		}
	}
	together = max(together, size/up, float64(s.watched())*size/all)
	inflow := func(n node) float64 {
		if s.mesh == nil || n.carrier == 0 {
			return math.Inf(1)
		}
		return s.mesh.inflow(n.carrier)
	}
	for _, n := range s.nodes {
		together = max(together, size/inflow(n))
	}
	for i, n := range s.nodes {
		if s.staggered() {
			b[i] = max(seconds(size/payload(n.down)), seconds(size/up)-n.arrive, seconds(size/inflow(n)))
		} else {
			b[i] = seconds(together)
		}
	}
	return b
}

// bound is the largest bound of the nodes that are waited for.
func (s scenario) bound() time.Duration {
	var most time.Duration
	for i, b := range s.bounds() {
		if !s.nodes[i].aside {
			most = max(most, b)
		}
	}
	return most
}

// patience is how long a run may take: longer than the origin needs to send
// everything to every node in turn.
func (s scenario) patience() time.Duration {
	if s.bound() == 0 {
		return 5 * time.Minute
	}
	arrived := time.Duration(0)
	for _, n := range s.nodes {
		arrived = max(arrived, n.arrive)
	}
	return arrived + time.Duration(len(s.nodes)+3)*s.bound() + time.Minute
}
