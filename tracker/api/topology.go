package api

import (
	"context"
	"net/http"

	"github.com/shoal-cdn/shoal"
)

// Path is what a node sees, as the sender, of the way from one carrier to another.
// Where RTT is 0 it is not known, and where Goodput is 0, neither is Loss.
type Path struct {
	From    string     `json:"from"`              // the carrier of the node, or of one of its addresses
	To      string     `json:"to"`                // another one
	Bytes   int64      `json:"bytes"`             // that peers there have acknowledged since the node's start
	RTT     float64    `json:"rtt_ms,omitempty"`  // ms
	Loss    float64    `json:"loss,omitempty"`    // the share of bytes that were sent again, 0 to 1
	Goodput shoal.Rate `json:"goodput,omitempty"` // bytes/s while there was something to send
}

// Validate checks a path against the protocol's bounds. The error is of kind
// [shoal.ErrInvalid].
func (p *Path) Validate() error {
	for _, c := range []string{p.From, p.To} {
		if c == "" || len(c) > maxLabel || !printable(c) {
			return invalid("path's carrier %s: want 1 to %d printable bytes", quote(c), maxLabel)
		}
	}
	switch {
	case p.From == p.To:
		return invalid("path from %s to itself", quote(p.From))
	case p.Bytes < 0, !(p.RTT >= 0 && p.RTT <= maxRTT), !(p.Loss >= 0 && p.Loss <= 1), p.Goodput < 0:
		return invalid("path from %s to %s: %d bytes, RTT %v ms, loss %v, goodput %d", quote(p.From), quote(p.To), p.Bytes, p.RTT, p.Loss, p.Goodput)
	}
	return nil
}

// Topology is the tracker's picture of the lines between carriers: GET /v1/topology.
type Topology struct {
	Carriers []string   `json:"carriers"` // that occur in Paths, sorted
	Paths    []PathSeen `json:"paths"`    // in the order of From and To
}

// PathSeen is what all nodes together say of the way from one carrier to another.
// RTT, Loss and Goodput are those of the last traffic, and left away when that is
// more than five minutes ago.
type PathSeen struct {
	From    string     `json:"from"`
	To      string     `json:"to"`
	RTT     float64    `json:"rtt_ms,omitempty"`  // ms, the least that a node sees; 0: unknown
	Loss    *float64   `json:"loss,omitempty"`    // nil: unknown
	Goodput shoal.Rate `json:"goodput,omitempty"` // bytes/s, of all nodes that sent at the time together; 0: unknown
	Bytes   int64      `json:"bytes"`             // acknowledged, as reported since the tracker's start
	Age     float64    `json:"age_s"`             // seconds since a node last reported traffic
	Nodes   int        `json:"nodes"`             // that RTT, Loss and Goodput are from
}

// Topology returns the matrix of the lines between carriers.
func (c *Client) Topology(ctx context.Context) (Topology, error) {
	return call[Topology](ctx, c, request{op: "topology", method: http.MethodGet, path: "/v1/topology"}, nil)
}
