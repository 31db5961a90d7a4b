package exchange

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// Event is something that happened. Events about a peer that is not (or no
// longer) in the state are ignored: they may still be under way when it goes.
type Event interface {
	apply(s *State, now time.Time)
}

type (
	// PeerJoined: a connection to a peer is ready. What comes from an origin is
	// counted apart.
	PeerJoined struct {
		Peer   shoal.NodeID
		Origin bool
		Cross  bool // it is in another carrier
	}
	// PeerLeft: the connection is gone.
	PeerLeft struct{ Peer shoal.NodeID }

	// HaveReceived: the peer has one more piece.
	HaveReceived struct {
		Peer  shoal.NodeID
		Piece int
	}
	// BitfieldReceived: the peer has exactly these pieces. The state keeps Set.
	BitfieldReceived struct {
		Peer shoal.NodeID
		Set  *shoal.PieceSet
	}

	// RequestReceived: the peer asks for Length bytes of a piece from Begin.
	RequestReceived struct {
		Peer                 shoal.NodeID
		Piece, Begin, Length int
	}
	// CancelReceived takes a request back.
	CancelReceived struct {
		Peer                 shoal.NodeID
		Piece, Begin, Length int
	}
	// BlockSent: the connection has handed the last SendBlock's bytes to the
	// network and can take another.
	BlockSent struct{ Peer shoal.NodeID }
	// ReadFailed: the block of the last SendBlock could not be read; nothing
	// was sent.
	ReadFailed struct {
		Peer  shoal.NodeID
		Piece int
	}

	// BlockReceived: Length bytes of a piece came in from Begin.
	BlockReceived struct {
		Peer                 shoal.NodeID
		Piece, Begin, Length int
	}
	// BlockUnwanted: Length bytes came in that no request waits for, most likely
	// since they crossed with a cancel.
	BlockUnwanted struct{ Length int }
	// RejectReceived: the peer will not answer a request.
	RejectReceived struct {
		Peer  shoal.NodeID
		Piece int
	}
	// QueuedReceived: the peer has our requests and will come to them.
	QueuedReceived struct{ Peer shoal.NodeID }
	// PieceStored: the piece asked for by Verify is right and stored.
	PieceStored struct{ Piece int }
	// PieceCorrupt: it did not verify. Peer is who sent it.
	PieceCorrupt struct {
		Peer  shoal.NodeID
		Piece int
	}

	// Tick: time has passed. Send one every [TickInterval].
	Tick struct{}
)

// TickInterval is how often a Tick is due: the resolution of the timeouts.
const TickInterval = 50 * time.Millisecond
