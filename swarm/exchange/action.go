package exchange

import "github.com/shoal-cdn/shoal"

// Action is something to be done. The order of actions about one peer matters.
type Action interface{ action() }

type (
	// SendHave tells the peer that a piece can be had here. Shown says that
	// the peer is expected to fetch it at once, so that it must not wait.
	SendHave struct {
		Peer  shoal.NodeID
		Piece int
		Shown bool
	}
	// SendBitfield tells the peer everything that can be had here. Set must not
	// be changed, nor kept after the call that handles the action.
	SendBitfield struct {
		Peer shoal.NodeID
		Set  *shoal.PieceSet
	}
	// SendRequest asks the peer for a whole piece of Length bytes.
	SendRequest struct {
		Peer          shoal.NodeID
		Piece, Length int
	}
	// SendCancel takes a request for a whole piece back. What comes in all the
	// same is reported by BlockReceived as ever.
	SendCancel struct {
		Peer          shoal.NodeID
		Piece, Length int
	}
	// SendReject refuses a request.
	SendReject struct {
		Peer                 shoal.NodeID
		Piece, Begin, Length int
	}
	// SendQueued tells the peer that its requests wait their turn here.
	SendQueued struct{ Peer shoal.NodeID }
	// SendBlock sends a block, and answers with BlockSent or ReadFailed. There
	// is at most one under way for each peer.
	SendBlock struct {
		Peer                 shoal.NodeID
		Piece, Begin, Length int
	}
	// Verify: all of a piece has come from Peer. Check it, store it, and answer
	// with PieceStored or PieceCorrupt.
	Verify struct {
		Peer  shoal.NodeID
		Piece int
	}
	// Claimed: Count > 0 pieces from First on are the asker's.
	Claimed struct{ First, Count int }
	// StorePiece: store the piece that was delivered, and answer with PieceStored.
	StorePiece struct{ Piece int }
	// DropPeer: close the connection, if there is one, for a fault of the peer's.
	// The peer is gone from the state already.
	DropPeer struct {
		Peer  shoal.NodeID
		Fault Fault
	}
	// ReportFault: the peer misbehaved, but stays.
	ReportFault struct {
		Peer  shoal.NodeID
		Fault Fault
	}
	// Completed: every piece is here.
	Completed struct{}
)

// Fault says what a peer did wrong.
type Fault int

const (
	Corrupt  Fault = iota // sent data that did not verify
	Stalled               // accepted requests and never answered
	Protocol              // sent what the protocol forbids
)

func (SendHave) action()     {}
func (SendBitfield) action() {}
func (SendRequest) action()  {}
func (SendCancel) action()   {}
func (SendReject) action()   {}
func (SendQueued) action()   {}
func (SendBlock) action()    {}
func (Verify) action()       {}
func (Claimed) action()      {}
func (StorePiece) action()   {}
func (DropPeer) action()     {}
func (ReportFault) action()  {}
func (Completed) action()    {}
