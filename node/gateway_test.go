package node_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/node"
)

// startGateway starts a node with a gateway, and returns its base URLs.
func startGateway(t *testing.T, cfg node.Config) (n *running, secure, plain string) {
	t.Helper()
	cfg.Data = t.TempDir()
	cfg.Gateway.Plain, cfg.Gateway.TLS = "127.0.0.1:0", "127.0.0.1:0"
	n = start(t, cfg)
	urls := n.GatewayURLs()
	if len(urls) != 2 || !strings.HasPrefix(urls[0], "https://127.0.0.1:") || !strings.HasPrefix(urls[1], "http://127.0.0.1:") {
		t.Fatalf("the gateway is at %q", urls)
	}
	return n, urls[0], urls[1]
}

// testCertificate makes a self-signed certificate for a name, as PEM files.
func testCertificate(t *testing.T, name string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	public, err1 := x509.CreateCertificate(nil, template, template, private.Public(), private)
	secret, err2 := x509.MarshalPKCS8PrivateKey(private)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err3 := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o600)
	err4 := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
	leaf, err5 := x509.ParseCertificate(public)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(leaf)
	return cert, key, pool
}

// browse gets a range of a URL, all of it where that is "".
func browse(t *testing.T, c *http.Client, url, span string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if span != "" {
		req.Header.Set("Range", "bytes="+span)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: %v after %d bytes", url, err, len(body))
	}
	return res, body
}

// B5: a GET of a content that a node does not have starts its fetch, and what
// is read comes first.
func TestPullThrough(t *testing.T) {
	url, trackerClient := startTracker(t)
	origin, _, _ := startGateway(t, node.Config{Name: "origin", Trackers: []string{url}, Up: 4 << 20})
	edge, secure, plain := startGateway(t, node.Config{Name: "edge", Trackers: []string{url}, Gateway: node.GatewayConfig{Fetch: 64 << 20}})
	liveNodes(t, trackerClient, 2)
	src := filepath.Join(t.TempDir(), "a film.mp4")
	data := writeFile(t, src, 4<<20+5)
	seeded, err := origin.Seed(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := "/v1/contents/" + seeded.Content.String() + "/files/a%20film.mp4"

	begun := time.Now()
	res, tail := browse(t, http.DefaultClient, plain+file, "-100000")
	t.Logf("the last 100,000 bytes after %v", time.Since(begun))
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(tail, data[len(data)-100_000:]) {
		t.Fatalf("%s, or wrong bytes", res.Status)
	}
	c, err := edge.Content(t.Context(), seeded.Content)
	if err != nil || c.PiecesHeld > c.Pieces/2 {
		t.Errorf("what was read did not come first: %d of %d pieces are here (%v)", c.PiecesHeld, c.Pieces, err)
	}
	pinned := &http.Client{Transport: &http.Transport{TLSClientConfig: nodecert.PinNode(edge.ID()), ForceAttemptHTTP2: true}}
	t.Cleanup(pinned.CloseIdleConnections)
	res, all := browse(t, pinned, secure+file, "")
	if res.ProtoMajor != 2 || !bytes.Equal(all, data) {
		t.Errorf("%s, %s: %d bytes, or wrong ones", res.Proto, res.Status, len(all))
	}
	at := filepath.Join(edge.data, "files", seeded.Content.String(), "a film.mp4")
	eventually(t, "it is published", func() bool {
		got, err := os.ReadFile(at)
		return err == nil && bytes.Equal(got, data)
	})
	if _, all = browse(t, http.DefaultClient, plain+file, ""); !bytes.Equal(all, data) {
		t.Error("wrong bytes of what is published")
	}
	_, metrics := browse(t, http.DefaultClient, edge.URL()+"/metrics", "")
	if want := fmt.Sprintf("shoal_node_gateway_sent_bytes_total %v\n", float64(len(tail)+2*len(all))); !strings.Contains(string(metrics), want) {
		t.Errorf("the metrics lack %q", want)
	}
	if nodes, err := trackerClient.Nodes(t.Context()); err != nil || len(nodes[0].Gateway) != 2 || nodes[0].Gateway[0] != secure {
		t.Errorf("announced: %+v, %v", nodes, err)
	}
}

func TestPullRefused(t *testing.T) {
	url, trackerClient := startTracker(t)
	origin, _, own := startGateway(t, node.Config{Name: "origin", Trackers: []string{url}})
	_, _, small := startGateway(t, node.Config{Name: "small", Trackers: []string{url}, Gateway: node.GatewayConfig{Fetch: 99_999}})
	_, _, none := startGateway(t, node.Config{Name: "none", Trackers: []string{url}})
	liveNodes(t, trackerClient, 3)
	src := filepath.Join(t.TempDir(), "x.bin")
	data := writeFile(t, src, 100_000)
	seeded, err := origin.Seed(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	under := "/v1/contents/" + seeded.Content.String()
	for what, c := range map[string]struct {
		base, path string
		status     int
	}{
		"in place":            {own, under + "/files/x.bin", http.StatusOK},
		"too large":           {small, under + "/files/x.bin", http.StatusServiceUnavailable},
		"not fetched":         {none, under + "/files/x.bin", http.StatusServiceUnavailable},
		"a list costs little": {none, under + "/files/", http.StatusOK},
		"no such file":        {small, under + "/files/y.bin", http.StatusNotFound},
		"unknown content":     {small, "/v1/contents/" + shoal.ContentID{1}.String() + "/files/", http.StatusNotFound},
		"another API":         {own, "/v1/status", http.StatusNotFound},
		"a probe":             {own, netprobe.Endpoint + "?bytes=10", http.StatusOK},
	} {
		res, body := browse(t, http.DefaultClient, c.base+c.path, "")
		if res.StatusCode != c.status || what == "in place" && !bytes.Equal(body, data) {
			t.Errorf("%s: %s, %.200q", what, res.Status, body)
		}
		if strings.Contains(string(body), "readers") {
			t.Errorf("%s: a stranger is told how the node is set up: %s", what, body)
		}
	}
}

// What a node shows to clients that ask for a name is the operator's
// certificate; its own is for nodes, which know it by its ID.
func TestGatewayCertificate(t *testing.T) {
	url, _ := startTracker(t)
	cert, key, pool := testCertificate(t, "cdn.example")
	n, secure, _ := startGateway(t, node.Config{Name: "n", Trackers: []string{url}, Gateway: node.GatewayConfig{Cert: cert, Key: key}})
	for what, conf := range map[string]*tls.Config{
		"node":    nodecert.PinNode(n.ID()),
		"browser": {RootCAs: pool, ServerName: "cdn.example"},
	} {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
		if res, body := browse(t, c, secure+netprobe.Endpoint, ""); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %q", what, res.Status, body)
		}
		c.CloseIdleConnections()
	}
}
