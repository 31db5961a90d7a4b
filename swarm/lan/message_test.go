package lan

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// testKeys is a key pair that depends on the seed only.
func testKeys(seed byte) (ed25519.PrivateKey, publicKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return key, publicKey(key.Public().(ed25519.PublicKey))
}

func testMessages(from publicKey) map[string]message {
	full := message{kind: answer, nonce: nonce{1, 2}, from: from, content: shoal.ContentID{3}, have: 7, total: shoal.MaxPieces}
	for i := range maxEndpoints {
		by := tcp
		if i%2 > 0 {
			by = quic
		}
		ip := netip.AddrFrom16([16]byte{0xfd, 1, 15: byte(i)})
		full.endpoints = append(full.endpoints, endpoint{by, netip.AddrPortFrom(ip, uint16(i+1))})
	}
	return map[string]message{
		"query":       {kind: query, from: from, content: shoal.ContentID{9}, endpoints: []endpoint{testEndpoint(1)}},
		"full answer": full,
		"enough":      {kind: enough, nonce: nonce{5}, from: from},
	}
}

func TestMessages(t *testing.T) {
	key, from := testKeys(1)
	for name, m := range testMessages(from) {
		t.Run(name, func(t *testing.T) {
			b := m.seal(key)
			got, err := decode(b)
			if err != nil || !reflect.DeepEqual(got, m) {
				t.Fatalf("decoded %+v, %v; want %+v", got, err, m)
			}
			if !got.verify(b) {
				t.Error("the signature does not verify")
			}
			// Whatever byte differs, it is refused as a message or as the sender's.
			for i := range b {
				forged := bytes.Clone(b)
				forged[i] ^= 1
				if m, err := decode(forged); err == nil && m.verify(forged) {
					t.Errorf("byte %d may be changed", i)
				}
			}
			for n := range b {
				if m, err := decode(b[:n]); err == nil && m.verify(b[:n]) {
					t.Errorf("it may be cut off after %d bytes", n)
				} else if err != nil && !errors.Is(err, shoal.ErrCorrupt) {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
		})
	}
}

func TestMessageRefused(t *testing.T) {
	key, from := testKeys(1)
	at := func(by over, ip string, port uint16) []endpoint {
		return []endpoint{{by, netip.AddrPortFrom(netip.MustParseAddr(ip), port)}}
	}
	for name, change := range map[string]func(*message){
		"kind":            func(m *message) { m.kind = 4 },
		"more than all":   func(m *message) { m.have = m.total + 1 },
		"too many pieces": func(m *message) { m.total = shoal.MaxPieces + 1 },
		"port 0":          func(m *message) { m.endpoints = at(tcp, "10.0.0.1", 0) },
		"transport":       func(m *message) { m.endpoints = at(3, "10.0.0.1", 1) },
		"no address":      func(m *message) { m.endpoints = at(tcp, "0.0.0.0", 1) },
		"multicast":       func(m *message) { m.endpoints = at(tcp, "ff02::1", 1) },
		"IPv4 in IPv6":    func(m *message) { m.endpoints = at(tcp, "::ffff:10.0.0.1", 1) },
		"too many":        func(m *message) { m.endpoints = make([]endpoint, maxEndpoints+1) },
	} {
		t.Run(name, func(t *testing.T) {
			m := testMessages(from)["query"]
			change(&m)
			if got, err := decode(m.seal(key)); !errors.Is(err, shoal.ErrCorrupt) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A peer ID is its key: what a message says of its sender is the ID that peers
// prove when they are dialled.
func TestNodeID(t *testing.T) {
	marshalled, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, public, err := readKey(marshalled)
	if err != nil {
		t.Fatal(err)
	}
	want, err := transport.NodeIDOf(marshalled)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := public.nodeID(); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestEndpoints(t *testing.T) {
	for in, want := range map[string]string{
		"/ip4/192.0.2.1/tcp/7071":                      "/ip4/192.0.2.1/tcp/7071",
		"/ip4/192.0.2.1/udp/7071/quic-v1":              "/ip4/192.0.2.1/udp/7071/quic-v1",
		"/ip6/2001:db8::1/tcp/1":                       "/ip6/2001:db8::1/tcp/1",
		"/ip4/192.0.2.1/udp/7071":                      "",
		"/ip4/192.0.2.1/udp/7071/quic-v1/webtransport": "",
		"/ip4/192.0.2.1/tcp/7071/ws":                   "",
		"/ip4/192.0.2.1/tcp/70710":                     "",
		"/ip4/192.0.2.1/tcp/0":                         "",
		"/ip4/0.0.0.0/tcp/1":                           "",
		"/ip4/example/tcp/1":                           "",
		"/ip4/192.0.2.1/tcp":                           "",
		"/ip6/fe80::1%eth0/tcp/1":                      "",
		"/dns4/example.org/tcp/1":                      "",
		"ip4/192.0.2.1/tcp/1":                          "",
		"":                                             "",
		"/":                                            "",
	} {
		e, ok := endpointOf(in)
		if got := e.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v; want %q", in, got, ok, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	key, from := testKeys(1)
	for _, m := range testMessages(from) {
		f.Add(m.seal(key))
	}
	f.Add([]byte("SHLN\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		_ = m.verify(b)
		again, err := decode(m.seal(key))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
		for _, e := range m.endpoints {
			if back, ok := endpointOf(e.String()); !ok || back != e {
				t.Errorf("%v reads as %v, %v", e, back, ok)
			}
		}
	})
}
