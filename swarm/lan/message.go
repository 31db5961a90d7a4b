package lan

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/shoal-cdn/shoal"
)

// MaxMessage bounds a message in bytes: it fits every link without fragments.
const MaxMessage = 1200

const (
	magic        = "SHLN"
	version      = 1
	maxEndpoints = 16
	headerLen    = 4 + 1 + 1 + nonceLen + ed25519.PublicKeySize
	nonceLen     = 16
	bodyLen      = 32 + 4 + 4 + 1
	domain       = "shoal LAN 1\n" // keeps signatures from meaning anything elsewhere
)

type kind byte

const (
	query  kind = 1 // who has this content?
	answer kind = 2 // I do
	enough kind = 3 // whoever has not answered yet may leave it
)

type nonce [nonceLen]byte

// publicKey is a node's Ed25519 key, which its peer ID holds.
type publicKey [ed25519.PublicKeySize]byte

// message is any of the three kinds; enough has nothing from content on.
type message struct {
	kind      kind
	nonce     nonce
	from      publicKey
	content   shoal.ContentID
	have      uint32 // pieces
	total     uint32 // pieces; 0: not known
	endpoints []endpoint
}

// seal is the message as it travels, signed with the key that from belongs to.
func (m *message) seal(key ed25519.PrivateKey) []byte {
	b := make([]byte, 0, MaxMessage)
	b = append(b, magic...)
	b = append(b, version, byte(m.kind))
	b = append(b, m.nonce[:]...)
	b = append(b, m.from[:]...)
	if m.kind != enough {
		b = append(b, m.content[:]...)
		b = binary.BigEndian.AppendUint32(b, m.have)
		b = binary.BigEndian.AppendUint32(b, m.total)
		b = append(b, byte(len(m.endpoints)))
		for _, e := range m.endpoints {
			b = e.append(b)
		}
	}
	return append(b, ed25519.Sign(key, signed(b))...)
}

// signed is what a signature covers.
func signed(body []byte) []byte { return append([]byte(domain), body...) }

// verify reports whether b, from which m was decoded, is signed by m.from.
func (m *message) verify(b []byte) bool {
	body, sig := b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	return ed25519.Verify(m.from[:], signed(body), sig)
}

// decode reads a message, whose signature it does not check. It accepts exactly
// what seal makes. The error is of kind [shoal.ErrCorrupt].
func decode(b []byte) (message, error) {
	m, err := parse(b)
	if err != nil {
		return message{}, fmt.Errorf("LAN message: %w: %w", shoal.ErrCorrupt, err)
	}
	return m, nil
}

func parse(b []byte) (m message, err error) {
	if len(b) < headerLen+ed25519.SignatureSize || len(b) > MaxMessage {
		return m, fmt.Errorf("%d bytes", len(b))
	}
	if string(b[:4]) != magic {
		return m, errors.New("not of this protocol")
	}
	if b[4] != version {
		return m, fmt.Errorf("version %d", b[4])
	}
	m.kind = kind(b[5])
	copy(m.nonce[:], b[6:])
	copy(m.from[:], b[6+nonceLen:])
	rest := b[headerLen : len(b)-ed25519.SignatureSize]
	switch m.kind {
	case enough:
	case query, answer:
		if rest, err = m.parseBody(rest); err != nil {
			return m, err
		}
	default:
		return m, fmt.Errorf("kind %d", m.kind)
	}
	if len(rest) > 0 {
		return m, fmt.Errorf("%d bytes too many", len(rest))
	}
	return m, nil
}

func (m *message) parseBody(b []byte) (rest []byte, err error) {
	if len(b) < bodyLen {
		return nil, errors.New("it is cut off")
	}
	copy(m.content[:], b)
	m.have = binary.BigEndian.Uint32(b[32:])
	m.total = binary.BigEndian.Uint32(b[36:])
	n := int(b[40])
	switch {
	case m.have > m.total || m.total > shoal.MaxPieces:
		return nil, fmt.Errorf("%d of %d pieces", m.have, m.total)
	case n > maxEndpoints:
		return nil, fmt.Errorf("%d addresses", n)
	}
	b = b[bodyLen:]
	for range n {
		var e endpoint
		if e, b, err = parseEndpoint(b); err != nil {
			return nil, err
		}
		m.endpoints = append(m.endpoints, e)
	}
	return b, nil
}

// reachable is the message's addresses that ok approves of, as multiaddrs.
func (m *message) reachable(ok func(netip.Addr) bool) []string {
	var out []string
	for _, e := range m.endpoints {
		if ok(e.at.Addr()) {
			out = append(out, e.String())
		}
	}
	return out
}

// nodeID is the peer ID that a key is.
func (k publicKey) nodeID() (shoal.NodeID, error) {
	public, err := crypto.UnmarshalEd25519PublicKey(k[:])
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPublicKey(public)
	if err != nil {
		return "", err
	}
	return shoal.NodeID(id.String()), nil
}

// readKey takes the Ed25519 key out of libp2p's form.
func readKey(marshalled []byte) (ed25519.PrivateKey, publicKey, error) {
	private, err := crypto.UnmarshalPrivateKey(marshalled)
	if err != nil {
		return nil, publicKey{}, err
	}
	raw, err := private.Raw()
	if err != nil {
		return nil, publicKey{}, err
	}
	if private.Type() != crypto.Ed25519 || len(raw) != ed25519.PrivateKeySize {
		return nil, publicKey{}, fmt.Errorf("a key of type %v", private.Type())
	}
	key := ed25519.PrivateKey(raw)
	return key, publicKey(key.Public().(ed25519.PublicKey)), nil
}
