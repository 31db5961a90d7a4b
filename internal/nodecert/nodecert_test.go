package nodecert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/shoal-cdn/shoal"
)

// identity makes a node's key of a libp2p type, marshalled, and its ID.
func identity(t *testing.T, kind int) ([]byte, shoal.NodeID) {
	t.Helper()
	k, _, err := crypto.GenerateKeyPair(kind, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b, err := crypto.MarshalPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return b, shoal.NodeID(id.String())
}

func certificate(t *testing.T, key []byte) tls.Certificate {
	t.Helper()
	c, err := SelfSigned(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// foreign is a certificate that no node made.
func foreign(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: noExpiry}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake is what a client finds of a server.
func handshake(t *testing.T, server tls.Certificate, client *tls.Config) error {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() {
		_ = tls.Server(a, &tls.Config{Certificates: []tls.Certificate{server}}).HandshakeContext(t.Context())
	}()
	return tls.Client(b, client).HandshakeContext(t.Context())
}

func TestPinNode(t *testing.T) {
	key, id := identity(t, crypto.Ed25519)
	otherKey, otherID := identity(t, crypto.Ed25519)
	_, rsaID := identity(t, crypto.RSA)
	own, other := certificate(t, key), certificate(t, otherKey)
	// The node's certificate without its key: what an impostor can show.
	stolen := tls.Certificate{Certificate: own.Certificate, PrivateKey: other.PrivateKey}
	for _, c := range []struct {
		name   string
		server tls.Certificate
		pin    shoal.NodeID
		fails  bool
		kind   error
	}{
		{"the node", own, id, false, nil},
		{"the other node by its own ID", other, otherID, false, nil},
		{"another node", other, id, true, shoal.ErrCorrupt},
		{"a certificate of another type", foreign(t), id, true, shoal.ErrCorrupt},
		{"a stolen certificate", stolen, id, true, nil},
		{"the node's after an impostor's", tls.Certificate{
			Certificate: [][]byte{other.Certificate[0], own.Certificate[0]}, PrivateKey: other.PrivateKey,
		}, id, true, shoal.ErrCorrupt},
		{"an ID without a key", own, rsaID, true, shoal.ErrInvalid},
		{"no ID", own, "", true, shoal.ErrInvalid},
		{"garbage", own, "0OIl", true, shoal.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := handshake(t, c.server, PinNode(c.pin))
			if (err != nil) != c.fails || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("handshake: %v, want kind %v", err, c.kind)
			}
		})
	}
}

func TestSelfSigned(t *testing.T) {
	key, id := identity(t, crypto.Ed25519)
	a, b := certificate(t, key), certificate(t, key)
	if !bytes.Equal(a.Certificate[0], b.Certificate[0]) {
		t.Error("two certificates for one key differ")
	}
	leaf, err := x509.ParseCertificate(a.Certificate[0])
	if err != nil || leaf.Subject.CommonName != string(id) || leaf.NotAfter.Year() != 9999 {
		t.Errorf("certificate: %v, %v, %v", leaf.Subject, leaf.NotAfter, err)
	}
	rsa, _ := identity(t, crypto.RSA)
	for _, bad := range [][]byte{nil, []byte("no key"), rsa, key[:len(key)-1]} {
		if _, err := SelfSigned(bad); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}
