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
		Peer    shoal.NodeID
		Origin  bool
		Carrier string // that it is in, where that is another one than ours; else ""
		// Presumed: the peer has said nothing yet. PeerGreeted comes before anything
		// that it says.
		Presumed bool
	}
	// PeerGreeted: a presumed peer has said itself what it is.
	PeerGreeted struct {
		Peer    shoal.NodeID
		Origin  bool
		Carrier string // as in PeerJoined
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
	// PieceStored: the piece asked for by Verify is right and stored, or that of
	// StorePiece is stored.
	PieceStored struct{ Piece int }
	// PieceCorrupt: it did not verify. Peer is who sent it.
	PieceCorrupt struct {
		Peer  shoal.NodeID
		Piece int
	}

	// ClaimAsked: somebody outside of the swarm's peers would fetch consecutive
	// missing pieces of one file, at most Max bytes together, but one in any case.
	// It is answered with Claimed, unless there is nothing to claim. Claimed
	// pieces are requested from no peer until they are delivered or released.
	ClaimAsked struct {
		Max     int64
		Allowed *shoal.PieceSet // the pieces that can be had there; nil: all
	}
	// ClaimReleased: these pieces will not come, as far as they were claimed.
	ClaimReleased struct{ First, Count int }
	// PieceDelivered: a whole piece came from outside, and verified. It is
	// answered with StorePiece where it is still missing.
	PieceDelivered struct{ Piece int }

	// PiecesWanted: a reader waits for these pieces, in this order, and no more
	// for those it wanted before. See package picker for how many count.
	PiecesWanted struct {
		Reader       uint64
		First, Count int
	}
	// ReaderGone: the reader wants nothing any more.
	ReaderGone struct{ Reader uint64 }

	// CrossAvoided: from now on ask peers in other carriers for nothing, since a
	// better way across is at work, or ask them again.
	CrossAvoided struct{ Avoid bool }

	// RoundTripMeasured: the shortest round trip to the peer that the network has shown, over
	// TCP in the last minutes, whatever waits in queues and at the peer left out. It replaces
	// the one before, and may be longer.
	RoundTripMeasured struct {
		Peer  shoal.NodeID
		Least time.Duration
	}

	// Placed: the node is in this carrier, "" if unknown. Peers that join
	// later are seen from there.
	Placed struct{ Carrier string }

	// Tick: time has passed. Send one every [TickInterval].
	Tick struct{}
)

// TickInterval is how often a Tick is due: the resolution of the timeouts.
const TickInterval = 50 * time.Millisecond
