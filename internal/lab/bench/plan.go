//go:build linux

package main

import (
	"cmp"
	"slices"
	"time"
)

// event is what happens to some nodes during a run.
type event struct {
	at    time.Duration
	kind  eventKind
	nodes []int // of the scenario
}

type eventKind int

const (
	arrives eventKind = iota // they get their orders
	joins                    // they are started, then get their orders
	leaves                   // they are killed
	loseTCP                  // TCP no longer passes the line
	changes                  // lines of the mesh whose time it is become others
)

// plan is what happens in a scenario, in order. Nodes that do the same at the
// same time are one event.
func (s scenario) plan() []event {
	var plan []event
	add := func(at time.Duration, kind eventKind, node int) {
		i := slices.IndexFunc(plan, func(e event) bool { return e.at == at && e.kind == kind })
		if i < 0 {
			i = len(plan)
			plan = append(plan, event{at: at, kind: kind})
		}
		plan[i].nodes = append(plan[i].nodes, node)
	}
	if s.line != nil && s.line.tcpEnds > 0 {
		plan = append(plan, event{at: s.line.tcpEnds, kind: loseTCP})
	}
	if s.mesh != nil {
		for _, r := range s.mesh.roads {
			if r.change > 0 {
				plan = append(plan, event{at: r.change, kind: changes})
			}
		}
	}
	for i, n := range s.nodes {
		if n.joins {
			add(n.arrive, joins, i)
		} else {
			add(n.arrive, arrives, i)
		}
		if n.leave > 0 {
			add(n.leave, leaves, i)
		}
	}
	slices.SortStableFunc(plan, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return plan
}
