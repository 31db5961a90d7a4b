package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/shoal-cdn/shoal"
)

const testProtocol = "/shoal/test/1"

func newHost(tb testing.TB, listen string) *Host {
	tb.Helper()
	key, err := GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	h, err := New(Config{Key: key, Listen: listen, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	if id, err := NodeIDOf(key); err != nil || id != h.ID() {
		tb.Errorf("node ID %s, %v, want %s", id, err, h.ID())
	}
	return h
}

// echo sends back what comes until the stream ends.
func echo(h *Host) {
	h.Handle(testProtocol, func(s *Stream) {
		defer s.Close()
		_, _ = io.Copy(s, s)
	})
}

func only(addrs []string, part string) (out []string) {
	for _, a := range addrs {
		if strings.Contains(a, part) {
			out = append(out, a)
		}
	}
	return out
}

func TestStreams(t *testing.T) {
	for _, tt := range []struct{ name, offer, want string }{
		{"TCP first", "", "/tcp/"},
		{"QUIC where TCP is not offered", "/quic-v1", "/quic-v1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
			peers := make(chan shoal.NodeID, 1)
			b.Handle(testProtocol, func(s *Stream) {
				defer s.Close()
				if s.Dialled() {
					t.Error("an accepted stream says it was dialled")
				}
				peers <- s.Peer()
				_, _ = io.Copy(s, s)
			})
			s, err := a.Open(t.Context(), b.ID(), only(b.Addrs(), tt.offer), testProtocol)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !strings.Contains(s.RemoteAddr(), tt.want) || !s.Dialled() || s.Peer() != b.ID() {
				t.Errorf("%s, dialled %v, to %s", s.RemoteAddr(), s.Dialled(), s.Peer())
			}
			out := make([]byte, 3<<20)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range out {
				out[i] = byte(rng.Uint32())
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for part := range slices.Chunk(out, 100<<10) {
					if _, err := s.Write(part); err != nil {
						t.Error(err)
						return
					}
					// The count of what is queued comes back to zero.
					s.Drain(t.Context(), 0)
				}
			})
			in := make([]byte, len(out))
			if _, err := io.ReadFull(s, in); err != nil || !bytes.Equal(in, out) {
				t.Errorf("the echo differs: %v", err)
			}
			wg.Wait()
			if (s.backlog != nil) != (tt.want == "/tcp/") {
				t.Errorf("backlog %v on %s", s.backlog, s.RemoteAddr())
			}
			if got := <-peers; got != a.ID() {
				t.Errorf("accepted from %s, want %s", got, a.ID())
			}
		})
	}
}

// A writer can't fill memory: Drain waits while the other side takes nothing.
func TestDrainWaitsForASlowReader(t *testing.T) {
	a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
	release := make(chan struct{})
	b.Handle(testProtocol, func(s *Stream) {
		<-release
		s.Close()
	})
	defer close(release)
	s, err := a.Open(t.Context(), b.ID(), b.Addrs(), testProtocol)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	n := 0
	for p := make([]byte, 64<<10); err == nil && n < 64<<20; n += len(p) {
		_, err = s.Write(p)
	}
	if err == nil {
		t.Errorf("%d bytes were taken for a peer that reads none", n)
	}
	t.Logf("%d bytes were taken", n)
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.Drain(ctx, 0)
	if ctx.Err() != nil {
		t.Error("Drain waits for ever after Close")
	}
}

// A stream is usable before the peer has told what protocols it speaks, and one of a protocol
// that it does not speak fails when it is read.
func TestOpenDoesNotWaitForProtocols(t *testing.T) {
	t.Parallel()
	a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
	release := make(chan struct{})
	defer close(release)
	b.Libp2p().SetStreamHandler(identify.ID, func(s network.Stream) { <-release; _ = s.Reset() })
	b.Handle(testProtocol, func(s *Stream) {
		defer s.Close()
		_, _ = io.Copy(s, s)
	})
	s, err := a.Open(t.Context(), b.ID(), b.Addrs(), testProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Write([]byte("echo")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if known, err := a.Libp2p().Peerstore().SupportsProtocols(s.s.Conn().RemotePeer(), testProtocol); err != nil || len(known) > 0 {
		t.Errorf("it has told that it speaks %v, %v", known, err)
	}
	other, err := a.Open(t.Context(), b.ID(), nil, testProtocol+"/unknown")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, ErrNotSpoken) {
		t.Errorf("a protocol that it does not speak: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
	if _, err := a.Open(t.Context(), "not a peer ID", b.Addrs(), testProtocol); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("bad ID: %v", err)
	}
	for name, addrs := range map[string][]string{"no address": nil, "bad addresses": {"", "nonsense", "/ip4/1.2.3"}} {
		if _, err := a.Open(t.Context(), b.ID(), addrs, testProtocol); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// Somebody else answers at the address: who it is is proven, not believed.
	echo(b)
	c := newHost(t, "127.0.0.1:0")
	if s, err := a.Open(t.Context(), c.ID(), b.Addrs(), testProtocol); err == nil {
		t.Errorf("opened to %s in place of %s", s.Peer(), c.ID())
	}
	if s, err := a.Open(t.Context(), b.ID(), append(b.Addrs(), "nonsense"), "/unknown/1"); err == nil {
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("a protocol that is not spoken was opened")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Open(ctx, c.ID(), c.Addrs(), testProtocol); err == nil {
		t.Error("opened after the context ended")
	}
}

func TestAddrs(t *testing.T) {
	h := newHost(t, "127.0.0.1:0")
	addrs := h.Addrs()
	if len(addrs) != 2 {
		t.Fatalf("%v", addrs)
	}
	var ports []string
	for _, a := range addrs {
		m, err := ma.NewMultiaddr(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []int{ma.P_TCP, ma.P_UDP} {
			if v, err := m.ValueForProtocol(p); err == nil {
				ports = append(ports, v)
			}
		}
		if strings.Contains(a, "/p2p/") {
			t.Errorf("%s names the peer", a)
		}
	}
	if len(ports) != 2 || ports[0] != ports[1] || ports[0] == "0" {
		t.Errorf("ports of TCP and QUIC: %v", ports)
	}
	for _, bad := range []string{"", "127.0.0.1", "127.0.0.1:x", "256.0.0.1:0", "127.0.0.1:99999"} {
		key, _ := GenerateKey()
		if h, err := New(Config{Key: key, Listen: bad, Log: slog.New(slog.DiscardHandler)}); err == nil {
			h.Close()
			t.Errorf("listens on %q", bad)
		}
	}
	if _, err := New(Config{Key: []byte("x"), Listen: "127.0.0.1:0"}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("bad key: %v", err)
	}
}

// A wildcard listens on all interfaces and is not told to peers as such.
func TestWildcardAddrs(t *testing.T) {
	for _, a := range newHost(t, ":0").Addrs() {
		if strings.HasPrefix(a, "/ip4/0.0.0.0/") || strings.HasPrefix(a, "/ip6/::/") {
			t.Errorf("address %s", a)
		}
	}
}

// Many nodes behind one address reach a host at once; libp2p's own limits
// refuse the ninth. Loopback is exempt from those, so the limits of a public
// address are asked of the resource manager itself.
func TestManyConnectionsFromOneAddress(t *testing.T) {
	to := newHost(t, "127.0.0.1:0")
	echo(to)
	var wg sync.WaitGroup
	for range 30 {
		h := newHost(t, "127.0.0.1:0")
		wg.Go(func() {
			s, err := h.Open(t.Context(), to.ID(), to.Addrs(), testProtocol)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestLimitsForOneAddress(t *testing.T) {
	rm, err := resourceManager()
	if err != nil {
		t.Fatal(err)
	}
	defer rm.Close()
	from := ma.StringCast("/ip4/198.18.0.1/tcp/4001")
	for i := range 200 {
		if _, err := rm.OpenConnection(0, true, from); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
}

// A peer's own word on its addresses is known once it has connected.
func TestPeerAddrs(t *testing.T) {
	a, b := newHost(t, "127.0.0.1:0"), newHost(t, "127.0.0.1:0")
	echo(a)
	s, err := b.Open(t.Context(), a.ID(), a.Addrs(), testProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		got := a.PeerAddrs(b.ID())
		if !slices.ContainsFunc(b.Addrs(), func(want string) bool { return !slices.Contains(got, want) }) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("knows %v, want %v", got, b.Addrs())
		}
	}
	if got := a.PeerAddrs("not a peer ID"); got != nil {
		t.Errorf("%v", got)
	}
	b.Disconnect(a.ID())
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives Disconnect")
	}
	b.Disconnect("not a peer ID")
}
