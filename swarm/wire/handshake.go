package wire

import (
	"crypto/sha256"
	"fmt"
	"io"

	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/shoal-cdn/shoal"
)

// HandshakeLen is the length of a handshake in bytes (BEP 3).
const HandshakeLen = 20 + 8 + 20 + 20

var reserved = pp.NewPeerExtensionBytes(pp.ExtensionBitLtep, pp.ExtensionBitFast, pp.ExtensionBitV2Upgrade)

// Handshake is the first message each side sends.
type Handshake struct {
	Content [20]byte // the content ID, truncated (BEP 52)
	Peer    [20]byte // the sender's BitTorrent peer ID
}

// PeerID is the BitTorrent peer ID of a node: a client prefix and a part of
// the hash of its node ID.
func PeerID(id shoal.NodeID) (p [20]byte) {
	sum := sha256.Sum256([]byte(id))
	n := copy(p[:], "-SH0001-")
	copy(p[n:], sum[:])
	return p
}

// AppendHandshake adds the handshake to b and returns it.
func AppendHandshake(b []byte, h Handshake) []byte {
	b = append(b, pp.Protocol...)
	b = append(b, reserved[:]...)
	b = append(b, h.Content[:]...)
	return append(b, h.Peer[:]...)
}

// ReadHandshake reads a handshake. The error is of kind [shoal.ErrCorrupt]
// where the other side is no BitTorrent peer with extensions (BEP 10).
func ReadHandshake(r io.Reader) (Handshake, error) {
	var b [HandshakeLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Handshake{}, fmt.Errorf("read handshake: %w", err)
	}
	if string(b[:20]) != pp.Protocol {
		return Handshake{}, fmt.Errorf("read handshake: %w: not BitTorrent", shoal.ErrCorrupt)
	}
	bits := pp.PeerExtensionBits(b[20:28])
	if !bits.SupportsExtended() {
		return Handshake{}, fmt.Errorf("read handshake: %w: no extension protocol", shoal.ErrCorrupt)
	}
	return Handshake{Content: [20]byte(b[28:48]), Peer: [20]byte(b[48:68])}, nil
}
