package api

import "github.com/shoal-cdn/shoal"

// LeaseReason says why a node asks for an upstream (M8).
type LeaseReason string

const (
	NoPeers      LeaseReason = "no_peers"      // nobody it can fetch from, after a short wait
	SlowPeers    LeaseReason = "slow"          // its swarm is slower than the floor
	Stalled      LeaseReason = "stalled"       // it has peers, and nothing comes
	Lacking      LeaseReason = "lacking"       // its peers send, but some of what it needs nobody it knows has
	CrossCarrier LeaseReason = "cross_carrier" // what it needs is only across carriers
	Unreachable  LeaseReason = "unreachable"   // it cannot dial anybody: a holder is told to dial it
)

// UpstreamKind is what an upstream is.
type UpstreamKind string

const (
	NodeGateway UpstreamKind = "node"     // the gateway of a node
	WebSeed     UpstreamKind = "web_seed" // an HTTP server named by the content's url-list (BEP 19)
)

// LeaseRequest asks for an upstream, or for more time on one: POST /v1/leases.
// A node must have announced in the session first: [shoal.ErrConflict].
type LeaseRequest struct {
	Node     shoal.NodeID    `json:"node"`
	Session  string          `json:"session"`
	Content  shoal.ContentID `json:"content"`
	Task     string          `json:"task,omitempty"` // whose limits hold; "": the defaults
	Reason   LeaseReason     `json:"reason"`
	Need     int64           `json:"need,omitempty"`     // bytes it lacks; 0: not said
	Want     []Run           `json:"want,omitempty"`     // pieces that somebody waits for, of those it has no lease for; the most urgent run first, at most [MaxWanted]
	Excluded []Benched       `json:"excluded,omitempty"` // upstreams it won't use for now

	// An earlier lease of the node's. While it isn't Done it is renewed: the
	// answer has the same ID and pieces, and nothing new is leased. One that is
	// Done is given back, as by DELETE, before a new one is made.
	Lease string `json:"lease,omitempty"`
	Used  int64  `json:"used,omitempty"` // bytes that the upstream has sent by it so far, in pieces that came in part or twice too; at most 2*[Lease.Bytes] count
	Done  bool   `json:"done,omitempty"`
}

// Benched is an upstream that a node has had trouble with.
type Benched struct {
	Upstream string `json:"upstream"` // [Upstream.Name]
	Reason   string `json:"reason"`   // for the log: "404", "wrong bytes"
}

// LeaseReply grants a lease, or says when to ask again.
type LeaseReply struct {
	Lease      *Lease       `json:"lease,omitempty"`       // nil: refused
	RetryAfter float64      `json:"retry_after,omitempty"` // seconds, some of them random, where refused
	Reason     Refusal      `json:"reason,omitempty"`      // where refused
	Push       shoal.NodeID `json:"push,omitempty"`        // the holder that was told to dial the asking node
}

// Lease allows a node to read pieces of a content from one upstream (B1). The
// pieces are its own: no other node of its carrier is sent to an origin for them,
// so that it should serve them to others as they come. It ends when it
// expires, which renewing it puts off, or is given back.
type Lease struct {
	ID          string     `json:"lease"`
	Upstream    Upstream   `json:"upstream"`
	Pieces      []Run      `json:"pieces"`                // which it may read, ascending; at most [MaxRuns]
	Bytes       int64      `json:"bytes"`                 // the pieces' size
	Rate        shoal.Rate `json:"rate,omitempty"`        // bytes/s it may read at most; 0: no bound
	Connections int        `json:"connections,omitempty"` // it should open at most; one more for what has fallen behind, or to try another transport
	Expires     float64    `json:"expires"`               // seconds from now
}

// Run is consecutive pieces.
type Run struct {
	First int `json:"first"`
	Count int `json:"count"`
}

// Upstream is an HTTP server that has pieces.
type Upstream struct {
	Name string       `json:"name"` // a node's ID or a web seed's URL: what Benched refers to
	Kind UpstreamKind `json:"kind"`
	URLs []string     `json:"urls"`           // a gateway's base URLs, any of them; a web seed's URL (BEP 19)
	Node shoal.NodeID `json:"node,omitempty"` // a gateway's node, which its TLS certificate must prove
}

// Refusal says why there is no lease for now.
type Refusal string

const (
	NoUpstream Refusal = "no_upstream" // nobody that it can use has what it lacks
	AllLeased  Refusal = "all_leased"  // what its carrier lacks is on its way to others of its carrier
	InCarrier  Refusal = "in_carrier"  // its carrier has what it lacks, and no upstream there is idle: its peers should send it
	Budget     Refusal = "budget"      // the copies for its carrier have been read
	Busy       Refusal = "busy"        // upstreams have no capacity left
	Enough     Refusal = "enough"      // it has as many leases of the content as a node may have
	NoProgress Refusal = "no_progress" // the lease to be renewed is over, or nothing was read by it
	Starting   Refusal = "starting"    // the tracker has just started and doesn't know yet who holds what
)

// Limits bound what upstreams send for a task (B1). Origins are web seeds and
// the gateways of origin nodes.
type Limits struct {
	EgressCopies float64                 `json:"egress_copies,omitempty"` // copies that origins may send into each carrier; 0: 1 now, and another every 10 minutes. 15 % more allow for what got lost
	EgressRate   shoal.Rate              `json:"egress_rate,omitempty"`   // bytes/s of each origin; 0: no bound
	Carriers     map[string]CarrierLimit `json:"carriers,omitempty"`      // other bounds for one carrier
}

// CarrierLimit is a carrier's part of [Limits].
type CarrierLimit struct {
	EgressCopies float64    `json:"egress_copies,omitempty"` // copies that origins may send into it; 0: as for all
	EgressRate   shoal.Rate `json:"egress_rate,omitempty"`   // bytes/s into it from all origins; 0: no bound
}

// IsZero reports whether only the defaults hold.
func (l Limits) IsZero() bool {
	return l.EgressCopies == 0 && l.EgressRate == 0 && len(l.Carriers) == 0
}

// DialOrder tells a node to connect to a peer that cannot dial it, and to
// serve it as any other (M8, push): over the connection the peer can fetch what
// it couldn't come for. Carrying it out twice does no harm, and that it fails
// needs no report.
type DialOrder struct {
	Content shoal.ContentID `json:"content"`
	Peer    Peer            `json:"peer"`
}

// Why says where a node's seconds went while it fetched (B2). Seconds in which
// it received at its full rate are Active; each other one has one cause. Those before
// it began are Queued.
type Why struct {
	Queued   float64 `json:"queued"` // other orders went first
	Active   float64 `json:"active"`
	NoPeer   float64 `json:"no_peer"`   // nobody to fetch from
	SlowPeer float64 `json:"slow_peer"` // peers sent less than it could take
	Lease    float64 `json:"lease"`     // it waited for a lease
	Upstream float64 `json:"upstream"`  // the upstream was slow or failed
	Disk     float64 `json:"disk"`      // its disk didn't keep up
	Limit    float64 `json:"limit"`     // an operator's rate limit held it back
}
