package nodecert

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/shoal-cdn/shoal"
)

// noExpiry is the date for "no well-defined expiration" (RFC 5280 §4.1.2.5).
var noExpiry = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// SelfSigned makes a certificate for a node's identity key, in libp2p's marshalled
// form. It is the same certificate each time. The error is of kind
// [shoal.ErrInvalid] where key is not such a key, or not of type Ed25519.
func SelfSigned(key []byte) (tls.Certificate, error) {
	k, err := crypto.UnmarshalPrivateKey(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("node certificate: %w: %v", shoal.ErrInvalid, err)
	}
	raw, err := k.Raw()
	if err != nil || k.Type() != crypto.Ed25519 || len(raw) != ed25519.PrivateKeySize {
		return tls.Certificate{}, fmt.Errorf("node certificate: %w: the identity is a %v key, want Ed25519", shoal.ErrInvalid, k.Type())
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("node certificate: %w: %v", shoal.ErrInvalid, err)
	}
	private := ed25519.PrivateKey(raw)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: id.String()}, // for people
		NotBefore:    time.Unix(0, 0),
		NotAfter:     noExpiry,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("node certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}
