//go:build linux

package main

import (
	"math"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// result is what one run showed.
type result struct {
	Seconds      []float64   `json:"seconds"`         // of each copy, since its node's order; sorted
	Nodes        []nodeTime  `json:"nodes,omitempty"` // those that were waited for
	Ratio        float64     `json:"ratio,omitempty"` // of the node furthest from its bound; 0: there is no bound
	OriginCopies float64     `json:"origin_copies,omitempty"`
	CrossCopies  float64     `json:"cross_carrier_copies,omitempty"`         // over the lines of a mesh, all packets counted
	CrossPayload float64     `json:"cross_carrier_payload_copies,omitempty"` // received across carriers or leased, by the nodes' own word; 0: not known
	Wasted       float64     `json:"wasted_copies,omitempty"`                // of a mesh or a cold start, likewise: received twice or wrong, from anywhere, over all nodes
	CPU          float64     `json:"cpu_seconds_per_gib"`                    // origin and nodes, user and system, by GiB delivered
	PeakRSS      shoal.Size  `json:"peak_rss_bytes"`                         // of the largest process of a node
	OriginRSS    shoal.Size  `json:"origin_peak_rss_bytes"`
	Busy         float64     `json:"machine_busy"`      // share of all CPUs' time, of whatever kind
	Line         *lineResult `json:"line,omitempty"`    // of a scenario with a line; then there may be no Seconds
	Failure      string      `json:"failure,omitempty"` // then all else is empty
}

// nodeTime is when a node had everything, since its order.
type nodeTime struct {
	Node    string  `json:"node"`
	Seconds float64 `json:"seconds"`
	Bound   float64 `json:"bound_seconds,omitempty"`
}

// last is when the last copy came; +Inf where none did.
func (r result) last() float64 {
	if len(r.Seconds) == 0 {
		return math.Inf(1)
	}
	return r.Seconds[len(r.Seconds)-1]
}

// measurement is what had been used at a moment.
type measurement struct {
	at     time.Time
	cpu    map[*lab.Process]time.Duration
	nodes  shoal.Size // largest peak
	origin shoal.Size
	sent   int64 // by the origin's host
	line   int64 // bytes of packets that a line was offered on the way to the nodes
	cross  int64 // bytes of packets that the lines of a mesh carried
	all    cpuTicks
}

func (t *trial) measure() (measurement, error) {
	m := measurement{at: time.Now(), cpu: make(map[*lab.Process]time.Duration)}
	add := func(who member, peak *shoal.Size) error {
		for _, p := range t.driver.processes(who) {
			s, err := p.Stats()
			if err != nil {
				return err
			}
			m.cpu[p] = s.CPU
			*peak = max(*peak, s.PeakRSS)
		}
		return nil
	}
	if err := add(t.network.origin, &m.origin); err != nil {
		return m, err
	}
	for _, n := range t.network.nodes {
		if err := add(n, &m.nodes); err != nil {
			return m, err
		}
	}
	c, err := t.network.origin.host.Counters()
	if err != nil {
		return m, err
	}
	m.sent = c.SentBytes
	if t.network.line != nil {
		there, _ := t.network.line.Counters()
		m.line = there.OfferedBytes
	}
	m.cross = t.network.crossed()
	m.all, err = readCPU()
	return m, err
}

// result puts together what a complete run showed.
func (t *trial) result(before, after measurement) result {
	s := t.scenario
	r := result{PeakRSS: after.nodes, OriginRSS: after.origin, Busy: after.all.since(before.all)}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, bound := range s.bounds() {
		if s.nodes[i].aside {
			continue
		}
		n := nodeTime{Node: t.network.nodes[i].name, Bound: bound.Seconds()}
		for _, at := range t.finished[i] {
			if at.IsZero() {
				continue // the run was cut
			}
			took := at.Sub(t.arrived[i]).Seconds()
			r.Seconds = append(r.Seconds, took)
			n.Seconds = max(n.Seconds, took)
		}
		if bound > 0 {
			r.Ratio = max(r.Ratio, n.Seconds/n.Bound)
		}
		r.Nodes = append(r.Nodes, n)
	}
	slices.Sort(r.Seconds)
	delivered := float64(s.size) * float64(s.watched())
	if s.line != nil {
		r.Line = t.lineResult(before, after)
		delivered = float64(r.Line.Received)
	} else if !s.oneHost {
		r.OriginCopies = float64(after.sent-before.sent) * wirePayload / float64(s.size)
		r.CrossCopies = float64(after.cross-before.cross) * linePayload / float64(s.size)
	}
	var cpu time.Duration
	for p, used := range after.cpu {
		cpu += used - before.cpu[p] // of one that was not there before: 0
	}
	if delivered > 0 {
		r.CPU = cpu.Seconds() / (delivered / (1 << 30))
	}
	return r
}
