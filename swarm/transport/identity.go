package transport

import (
	"crypto/rand"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/shoal-cdn/shoal"
)

// GenerateKey returns a new private key in libp2p's marshalled form (ed25519).
func GenerateKey() ([]byte, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate identity: %w", err)
	}
	return crypto.MarshalPrivateKey(key)
}

// NodeIDOf returns the ID of the node that has a marshalled private key.
func NodeIDOf(key []byte) (shoal.NodeID, error) {
	k, err := crypto.UnmarshalPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("identity key: %w: %v", shoal.ErrInvalid, err)
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		return "", fmt.Errorf("identity key: %w: %v", shoal.ErrInvalid, err)
	}
	return shoal.NodeID(id.String()), nil
}
