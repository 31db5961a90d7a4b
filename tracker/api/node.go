package api

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// NodeInfo is what a node says of itself (M1, M4).
type NodeInfo struct {
	ID    shoal.NodeID `json:"id"`
	Name  string       `json:"name"`           // the operator's name for it, unique among live nodes; see [CheckName]
	Addrs []string     `json:"addrs"`          // libp2p multiaddrs it listens on, without /p2p
	HTTP  string       `json:"http,omitempty"` // base URL of its HTTP API

	// Gateway has the base URLs of its gateway, http or https; an https one
	// proves that it is ID's by its certificate. Since others are sent there, the
	// tracker ignores those whose host is not an IP address in Addrs or the one that
	// the announce comes from, link-local ones, and loopback ones unless the
	// announce comes from loopback.
	Gateway []string `json:"gateway,omitempty"`

	Up      shoal.Rate `json:"up,omitempty"`     // uplink, bytes/s; 0: unknown
	Down    shoal.Rate `json:"down,omitempty"`   // downlink, bytes/s; 0: unknown
	Guest   bool       `json:"guest,omitempty"`  // takes part in swarms, is never given tasks ("shoal get")
	Ingest  bool       `json:"ingest,omitempty"` // takes uploads at its gateways
	Version string     `json:"version,omitempty"`

	// Locality is what a node says of its place; empty parts of it, the tracker fills
	// in from its addresses. How it did so is in Place.
	shoal.Locality
	Place Place `json:"place,omitzero"`
}

// Node is the tracker's picture of a node: GET /v1/nodes.
type Node struct {
	NodeInfo
	Alive    bool      `json:"alive"`
	Seen     time.Time `json:"seen"` // when it was last known to be alive
	Contents int       `json:"contents"`
}

// Peer is a node that has, or is fetching, a content.
type Peer struct {
	ID    shoal.NodeID `json:"id"`
	Name  string       `json:"name"`
	Addrs []string     `json:"addrs"` // the best for the node that is told of it first
	Role  Role         `json:"role"`
	shoal.Locality
}
