package main

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/sim"
)

// simulateReport is a prediction as --json prints it. Times are in seconds
// after the start, bytes are payload.
type simulateReport struct {
	Seed         uint64          `json:"seed"`
	Size         int64           `json:"size"`
	PieceLength  int             `json:"piece_length"`
	Pieces       int             `json:"pieces"`
	Nodes        int             `json:"nodes"`     // that are to complete
	Completed    int             `json:"completed"` // of those
	Left         int             `json:"left"`      // before they were complete
	Bound        float64         `json:"bound"`     // 0: nothing bounds it
	First        float64         `json:"first"`     // 0, as the next two, where none completed
	Median       float64         `json:"median"`
	Last         float64         `json:"last"`
	Ratio        *float64        `json:"ratio"` // last / bound; null where there is none
	OriginCopies float64         `json:"origin_copies"`
	CrossCopies  float64         `json:"cross_carrier_copies"`
	Wasted       int64           `json:"wasted"`
	Events       int64           `json:"events"`
	PerNode      []simulatedNode `json:"per_node"`
}

type simulatedNode struct {
	Node      string           `json:"node"`
	Join      float64          `json:"join"`
	Completed *float64         `json:"completed"` // null where it did not, or had everything
	Sent      int64            `json:"sent"`
	Bytes     simulatedBytes   `json:"bytes"`
	Faults    []simulatedFault `json:"faults"`
}

// simulatedBytes is what a node received.
type simulatedBytes struct {
	Origin       int64 `json:"origin"`
	Peers        int64 `json:"peers"`
	CrossCarrier int64 `json:"cross_carrier"` // a part of the two
	Wasted       int64 `json:"wasted"`        // in neither
}

type simulatedFault struct {
	Peer string `json:"peer"`
	Kind string `json:"kind"`
}

func newSimulateReport(t *sim.Topology, r *sim.Result) *simulateReport {
	copies := func(n int64) float64 { return float64(n) / float64(t.Size) }
	report := &simulateReport{
		Seed: t.Seed, Size: t.Size, PieceLength: t.PieceLength, Pieces: t.Pieces(),
		Nodes: r.Wanted, Completed: r.Completed, Left: r.Left,
		Bound: r.Bound.Seconds(), First: r.First.Seconds(), Median: r.Median.Seconds(), Last: r.Last.Seconds(),
		OriginCopies: copies(r.OriginSent), CrossCopies: copies(r.CrossCarrier), Wasted: r.Wasted, Events: r.Events,
		PerNode: make([]simulatedNode, len(r.Nodes)),
	}
	if ratio := r.Ratio(); ratio > 0 {
		report.Ratio = &ratio
	}
	for i, n := range r.Nodes {
		one := simulatedNode{
			Node: n.Name, Join: n.Join.Seconds(), Sent: n.Sent, Faults: []simulatedFault{},
			Bytes: simulatedBytes{n.Received.Origin, n.Received.Peers, n.Received.Cross, n.Received.Wasted},
		}
		if n.Completed > 0 {
			at := n.Completed.Seconds()
			one.Completed = &at
		}
		for _, f := range n.Faults {
			one.Faults = append(one.Faults, simulatedFault{f.Peer, f.Kind})
		}
		report.PerNode[i] = one
	}
	return report
}

func (r *simulateReport) print(a *app) error {
	ratio := "-"
	if r.Ratio != nil {
		ratio = fmt.Sprintf("%.3f", *r.Ratio)
	}
	nodes := fmt.Sprintf("%d of %d", r.Completed, r.Nodes)
	if r.Left > 0 {
		nodes += fmt.Sprintf(", %d left before", r.Left)
	}
	for _, row := range [][2]string{
		{"content", fmt.Sprintf("%s in %d pieces of %s", bytesText(r.Size), r.Pieces, shoal.Size(r.PieceLength))},
		{"completed", nodes},
		{"bound", predicted(r.Bound)},
		{"first", predicted(r.First)},
		{"median", predicted(r.Median)},
		{"last", predicted(r.Last)},
		{"last/bound", ratio},
		{"origin sent", fmt.Sprintf("%.3f copies", r.OriginCopies)},
		{"cross-carrier", fmt.Sprintf("%.3f copies", r.CrossCopies)},
		{"wasted", bytesText(r.Wasted)},
	} {
		if _, err := fmt.Fprintf(a.stdout, "%-14s %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

// predicted is a time in seconds to the precision that comparing two
// predictions takes; none is "-".
func predicted(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond).String()
}
