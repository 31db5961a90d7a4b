package api

import "github.com/shoal-cdn/shoal"

// Announce is a node's one regular message: POST /v1/announce. It carries
// only what changed since the announce the tracker last answered, unless Full
// is set. The tracker holds the answer back for up to Wait while it has
// nothing new for the node, so that news reaches the node without polling.
type Announce struct {
	Node     NodeInfo          `json:"node"`
	Session  string            `json:"session"`        // random, new at each start of the node
	Seq      uint64            `json:"seq,omitempty"`  // 1, 2, 3… within the session, a new one also for a retry; 0: not numbered, taken in the order of arrival
	Full     bool              `json:"full,omitempty"` // Holdings and SubTasks are all the node has
	Holdings []Holding         `json:"holdings,omitempty"`
	Gone     []shoal.ContentID `json:"gone,omitempty"` // held before, no longer
	SubTasks []SubTaskReport   `json:"sub_tasks,omitempty"`
	Paths    []Path            `json:"paths,omitempty"`   // to other carriers, at most [MaxPaths]
	Cursor   uint64            `json:"cursor"`            // of the newest Reply the node has processed; 0: none, send everything
	Wait     float64           `json:"wait,omitempty"`    // seconds; 0: answer at once
	Leaving  bool              `json:"leaving,omitempty"` // the node stops: forget its holdings
}

// Reply is the answer to an Announce. Applying one twice does no harm.
type Reply struct {
	Cursor   uint64                     `json:"cursor"`
	Interval float64                    `json:"interval"`            // seconds until the next announce at the latest
	Resync   bool                       `json:"resync,omitempty"`    // the tracker does not know this session: announce in full
	Peers    map[shoal.ContentID][]Peer `json:"peers,omitempty"`     // for the contents the node fetches that have new ones, and those it is ordered to fetch, nearest first; not always all there are
	Known    []Peer                     `json:"known,omitempty"`     // some other nodes, without a role, to remember for while no tracker answers; at the start of a session
	SubTasks []SubTaskOrder             `json:"sub_tasks,omitempty"` // all that are open
	Dial     []DialOrder                `json:"dial,omitempty"`      // connections to open since the cursor, at most [MaxDials]
	Locality shoal.Locality             `json:"locality,omitzero"`   // where the tracker takes the node to be
	Homes    []Home                     `json:"homes,omitempty"`     // its addresses that are elsewhere
}

// SubTaskOrder tells a node to carry out its part of a task. The tracker
// repeats it in every Reply until the node has reported on it in its current
// session; a cancellation, until the node has reported a final state. A node
// that is told to cancel what it doesn't know reports [Cancelled]. When a task's
// priority has changed, its order is repeated while the node reports it as pending
// with another one.
type SubTaskOrder struct {
	Task     string          `json:"task"`
	Content  shoal.ContentID `json:"content"`
	Priority Priority        `json:"priority,omitempty"` // which of the orders that wait goes first
	Dest     string          `json:"dest,omitempty"`     // relative path below the node's files; "": the content's name
	Shared   bool            `json:"shared,omitempty"`   // the task is for other nodes too
	Cancel   bool            `json:"cancel,omitempty"`
}

// SubTaskReport is a node's word on its part of a task (M11).
type SubTaskReport struct {
	Task    string  `json:"task"`
	State   State   `json:"state"` // pending: accepted, and others go first
	Error   string  `json:"error,omitempty"`
	Pieces  int     `json:"pieces"`  // how many it has by now
	Seconds float64 `json:"seconds"` // since it accepted the order, or until it ended
	Bytes   Bytes   `json:"bytes"`
	Why     Why     `json:"why,omitzero"` // where its seconds went
	Faults  []Fault `json:"faults,omitempty"`

	Priority Priority `json:"priority,omitempty"` // of the order, as the node has it
}

// Bytes counts the payload bytes a node received for a content by where they
// came from. CrossCarrier is a part of Origin + Peers.
type Bytes struct {
	Origin       int64 `json:"origin"`
	Peers        int64 `json:"peers"`
	CrossCarrier int64 `json:"cross_carrier"`
	Upstream     int64 `json:"upstream"`
	Wasted       int64 `json:"wasted"` // duplicates and what failed verification
}

// Fault is a peer's or an upstream's misbehaviour as one node saw it.
type Fault struct {
	Peer   shoal.NodeID `json:"peer"`             // "": a web seed
	Name   string       `json:"name,omitempty"`   // a peer's, as it calls itself, or a web seed's URL without its query, which may be a secret
	Kind   string       `json:"kind"`             // "corrupt", "stalled", "protocol", or [UpstreamFault]
	Reason string       `json:"reason,omitempty"` // of an upstream: what went wrong the last time
	Count  int          `json:"count"`
}

// UpstreamFault is the kind of what went wrong with a web seed or a gateway.
const UpstreamFault = "upstream"
