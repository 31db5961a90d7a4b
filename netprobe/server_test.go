package netprobe

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// gateway serves h over plain HTTP, and over TLS on TCP and QUIC of one port.
type gateway struct {
	plain, secure Target
	certs         *x509.CertPool
}

func newGateway(t *testing.T, h http.Handler) gateway {
	t.Helper()
	cert, pool := selfSigned(t)
	g := gateway{certs: pool}
	serve := func(secure bool) (string, net.Listener) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: h, ConnContext: ConnContext, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
		t.Cleanup(func() { srv.Close() })
		go func() {
			if secure {
				_ = srv.ServeTLS(ln, "", "")
			} else {
				_ = srv.Serve(ln)
			}
		}()
		return ln.Addr().String(), ln
	}
	plain, _ := serve(false)
	secure, ln := serve(true)
	g.plain, g.secure = Target{URL: "http://" + plain}, Target{URL: "https://" + secure}

	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: ln.Addr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	h3 := &http3.Server{Handler: h, ConnContext: QUICConnContext, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	served := make(chan struct{})
	go func() { defer close(served); _ = h3.Serve(udp) }()
	t.Cleanup(func() { h3.Close(); udp.Close(); <-served })
	return g
}

// prober trusts the gateway's certificate and nothing else.
func (g gateway) prober() *Prober {
	return NewProber(Config{TLS: func(Target) (*tls.Config, error) { return &tls.Config{RootCAs: g.certs}, nil }})
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

var errStopped = errors.New("stopped")
