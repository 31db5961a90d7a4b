package sim

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// Result is what a simulation predicts. Times are since its start, bytes are
// payload.
type Result struct {
	Bound               time.Duration // see [Bound]
	First, Median, Last time.Duration // of the nodes that completed; 0: none did
	Wanted              int           // nodes that were to complete: neither holders nor faulty, and stay
	Completed           int           // of those
	Left                int           // nodes that left before they were complete, as the topology has it
	OriginSent          int64
	CrossCarrier        int64         // sent from one carrier to another
	Wasted              int64         // received twice, or wrong
	Events              int64         // that the nodes' states were told
	Ended               time.Duration // when the simulation did
	Nodes               []NodeResult  // in the order of the topology, origins first
}

// NodeResult is what became of one node.
type NodeResult struct {
	Name      string
	Join      time.Duration
	Completed time.Duration // 0: it did not, or had everything from the start
	Sent      int64
	Received  exchange.Bytes
	Faults    []FaultOf // that it saw, in order
}

// FaultOf is a peer's misbehaviour as a node saw it.
type FaultOf struct {
	Peer string // its name
	Kind string // corrupt, stalled or protocol
}

var faultKinds = map[exchange.Fault]string{
	exchange.Corrupt: "corrupt", exchange.Stalled: "stalled", exchange.Protocol: "protocol",
}

func (s *Sim) result() *Result {
	r := &Result{Bound: Bound(s.topology), CrossCarrier: s.crossed, Events: s.handled, Ended: s.now}
	var times []time.Duration
	for _, n := range s.nodes {
		one := NodeResult{Name: n.name, Join: n.join, Completed: n.done}
		if n.state != nil {
			one.Sent, one.Received = n.state.Sent(), n.state.Bytes()
		}
		for _, f := range n.faults {
			one.Faults = append(one.Faults, FaultOf{s.nodes[indexOf(f.Peer)].name, faultKinds[f.Fault]})
		}
		r.Nodes = append(r.Nodes, one)
		r.Wasted += one.Received.Wasted
		if n.origin {
			r.OriginSent += one.Sent
		}
		switch {
		case n.holder || n.fault != None:
		case n.completed:
			r.Wanted++
			r.Completed++
			times = append(times, n.done)
		case n.gone:
			r.Left++
		default:
			r.Wanted++
		}
	}
	if len(times) > 0 {
		slices.Sort(times)
		r.First, r.Median, r.Last = times[0], times[len(times)/2], times[len(times)-1]
	}
	return r
}

// Ratio is how many times the bound the last node took; 0 where that says nothing.
func (r *Result) Ratio() float64 {
	if r.Bound == 0 || r.Completed < r.Wanted {
		return 0
	}
	return r.Last.Seconds() / r.Bound.Seconds()
}
