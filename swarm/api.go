package swarm

import (
	"log/slog"

	"github.com/shoal-cdn/shoal"
)

// Store is where a swarm keeps one content's pieces. It is safe for
// concurrent use.
type Store interface {
	// Pieces is a copy of the set of pieces that ReadAt can read now.
	Pieces() *shoal.PieceSet
	// ReadAt fills p from piece, starting at off. It never reads short.
	ReadAt(p []byte, piece int, off int64) error
	// WritePiece stores a whole piece that has been verified. The data is the
	// caller's again on return. An error is final for the swarm.
	WritePiece(piece int, data []byte) error
}

// Peer is a node that may be in a swarm.
type Peer struct {
	ID    shoal.NodeID
	Name  string   // the operator's name for it; may be empty
	Addrs []string // libp2p multiaddrs without /p2p
	Seed  bool     // it has everything, and so dials nobody; what readers want is asked of it before it has said so itself
	shoal.Locality
}

// Config is one node's part in all of its swarms.
type Config struct {
	Name     string // told to peers, for their logs and reports
	Locality shoal.Locality
	Up       shoal.Rate // limit on payload sent, over all swarms; 0: none
	Down     shoal.Rate // limit on payload received, over all swarms; 0: none
	Log      *slog.Logger

	// Met, unless nil, is told of a peer some seconds after its connection was
	// made, and again every now and then while it lasts, with where it says that it
	// can be dialled. It is called from the swarms' event loops: it must not block.
	Met func(Peer)
}

// Bytes counts payload bytes received by source. CrossCarrier is a part of
// Origin + Peers; Upstream is what was delivered from outside of the swarm;
// Wasted is counted in none of them.
type Bytes struct {
	Origin, Peers, CrossCarrier, Upstream, Wasted int64
}

// FaultKind says what a peer did wrong.
type FaultKind string

const (
	Corrupt  FaultKind = "corrupt"  // sent data that did not verify; quarantined
	Stalled  FaultKind = "stalled"  // accepted requests and never answered
	Protocol FaultKind = "protocol" // broke the wire protocol; quarantined
)

// Fault is a peer's misbehaviour.
type Fault struct {
	Peer  shoal.NodeID
	Name  string
	Kind  FaultKind
	Count int
}

// Stats is a snapshot of a swarm.
type Stats struct {
	Pieces int // held
	Peers  int // connected
	// What they are good for, at most surveyInterval and a snapshot's age old.
	Useful     int // peers that can give a missing piece, and answer
	UsefulNear int // of those, the ones in the same carrier
	Lacking    int // missing pieces that no connected peer can give

	Bytes  Bytes
	Sent   int64 // payload bytes
	Faults []Fault
}
