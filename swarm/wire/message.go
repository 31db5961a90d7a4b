package wire

import (
	"fmt"

	pp "github.com/anacrolix/torrent/peer_protocol"
)

// Type is a message's type. The numbers are BitTorrent's.
type Type byte

const (
	Choke         = Type(pp.Choke)
	Unchoke       = Type(pp.Unchoke)
	Interested    = Type(pp.Interested)
	NotInterested = Type(pp.NotInterested)
	Have          = Type(pp.Have)
	Bitfield      = Type(pp.Bitfield)
	Request       = Type(pp.Request)
	Block         = Type(pp.Piece) // BitTorrent's "piece": one block of a piece
	Cancel        = Type(pp.Cancel)
	HaveAll       = Type(pp.HaveAll)
	HaveNone      = Type(pp.HaveNone)
	Reject        = Type(pp.Reject)
	Extended      = Type(pp.Extended)

	// KeepAlive is this package's name for the message of length 0.
	KeepAlive Type = 0xff
)

func (t Type) String() string {
	if t == KeepAlive {
		return "keep-alive"
	}
	return pp.MessageType(t).String()
}

// Message is any message; which fields count depends on its type.
type Message struct {
	Type   Type
	Piece  int    // Have, Request, Block, Cancel, Reject
	Begin  int    // Request, Block, Cancel, Reject: offset in the piece, bytes
	Length int    // Request, Cancel, Reject: bytes asked for. Block: bytes of payload still to be read
	Ext    byte   // Extended: the receiver's number for the extension, 0 for the handshake
	Body   []byte // Bitfield, Extended: valid until the next Read
}

// Limits bounds what a peer may send about one content.
type Limits struct {
	Pieces      int // number of pieces
	PieceLength int // bytes; no request or block is longer
}

// maxExtended bounds an extension message's body in bytes.
const maxExtended = 64 << 10

const (
	headerLen   = 4 + 1           // length and type
	requestLen  = 1 + 3*4         // type, piece, begin, length
	blockPrefix = 1 + 2*4         // type, piece, begin
	BlockHeader = 4 + blockPrefix // bytes before a block's payload on the wire
	HaveLength  = headerLen + 4   // bytes of a HAVE on the wire
)

// maxLen is the greatest value of the length field for a type; 0: unknown type.
func (l Limits) maxLen(t Type) int {
	switch t {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
		return 1
	case Have:
		return 1 + 4
	case Request, Cancel, Reject:
		return requestLen
	case Bitfield:
		return 1 + (l.Pieces+7)/8
	case Block:
		return blockPrefix + l.PieceLength
	case Extended:
		return 2 + maxExtended
	}
	return 0
}

// minLen is the least value of the length field for a type.
func (l Limits) minLen(t Type) int {
	switch t {
	case Block:
		return blockPrefix + 1
	case Extended:
		return 2
	}
	return l.maxLen(t)
}

// check validates the fields of a message with a piece number.
func (l Limits) check(m *Message) error {
	if uint(m.Piece) >= uint(l.Pieces) {
		return fmt.Errorf("%v of piece %d of %d", m.Type, m.Piece, l.Pieces)
	}
	if uint(m.Begin) > uint(l.PieceLength) || uint(m.Length) > uint(l.PieceLength-m.Begin) {
		return fmt.Errorf("%v of bytes %d+%d in a piece of at most %d", m.Type, m.Begin, m.Length, l.PieceLength)
	}
	return nil
}
