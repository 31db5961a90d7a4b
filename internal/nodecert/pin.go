package nodecert

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/shoal-cdn/shoal"
)

// PinNode is the TLS configuration of a client that talks to one node: it accepts
// the certificate whose public key is the one in id, whatever else that says, and
// no other. Handshakes fail with an error of kind [shoal.ErrCorrupt] where another
// node answers, and of kind [shoal.ErrInvalid] where id has no Ed25519 key. The
// caller may change the result.
func PinNode(id shoal.NodeID) *tls.Config {
	want, invalid := publicKey(id)
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Chains and names are not what a node is known by. VerifyConnection, unlike
		// VerifyPeerCertificate, is also called where a session is resumed.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if invalid != nil {
				return invalid
			}
			if len(cs.PeerCertificates) == 0 {
				return fmt.Errorf("node %s: %w: no certificate", id.Short(), shoal.ErrCorrupt)
			}
			if !want.Equal(cs.PeerCertificates[0].PublicKey) {
				return fmt.Errorf("node %s: %w: somebody else answers, whose certificate has another key", id.Short(), shoal.ErrCorrupt)
			}
			return nil
		},
	}
}

// publicKey is the key that a node ID contains.
func publicKey(id shoal.NodeID) (ed25519.PublicKey, error) {
	invalid := func(why error) error {
		return fmt.Errorf("node ID %q: %w: %v", id.Short(), shoal.ErrInvalid, why)
	}
	pid, err := peer.Decode(string(id))
	if err != nil {
		return nil, invalid(err)
	}
	key, err := pid.ExtractPublicKey()
	if err != nil {
		return nil, invalid(err)
	}
	raw, err := key.Raw()
	if err == nil && (key.Type() != crypto.Ed25519 || len(raw) != ed25519.PublicKeySize) {
		err = errors.New("no Ed25519 key in it")
	}
	if err != nil {
		return nil, invalid(err)
	}
	return ed25519.PublicKey(raw), nil
}
