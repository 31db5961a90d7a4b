package transport

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	basicmgr "github.com/libp2p/go-libp2p/p2p/net/connmgr"
)

// Beyond the bounds idle connections are closed, and busy ones never, whichever side
// opened their streams.
func TestBusyConnectionsAreKept(t *testing.T) {
	const busy, idle, kept = 6, 6, 2
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var manager *basicmgr.BasicConnMgr
	h, err := untilListening(func() (_ *Host, err error) { // which closes the manager where it fails
		manager, err = basicmgr.NewConnManager(kept, kept+1, basicmgr.WithGracePeriod(0), basicmgr.WithSilencePeriod(time.Hour))
		if err != nil {
			return nil, err
		}
		return open(Config{Key: key, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}, manager)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	echo(h)
	roundTrip := func(s *Stream) {
		t.Helper()
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var streams []*Stream
	for i := range busy {
		o := newHost(t, "127.0.0.1:0")
		echo(o)
		from, to := o, h
		if i%2 == 0 {
			from, to = h, o
		}
		s, err := from.Open(t.Context(), to.ID(), to.Addrs(), testProtocol)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		roundTrip(s)
		streams = append(streams, s)
	}
	var others []*Host
	for range idle {
		o := newHost(t, "127.0.0.1:0")
		if err := o.host.Connect(t.Context(), peer.AddrInfo{ID: h.host.ID(), Addrs: h.host.Addrs()}); err != nil {
			t.Fatal(err)
		}
		others = append(others, o)
	}
	manager.TrimOpenConns(t.Context())
	for _, s := range streams {
		roundTrip(s)
	}
	eventually(t, "idle connections are closed", func() bool {
		n := 0
		for _, o := range others {
			if h.host.Network().Connectedness(o.host.ID()) == network.Connected {
				n++
			}
		}
		return n == kept
	})
	for _, s := range streams {
		s.Close()
		s.Close()
	}
	eventually(t, "nothing is in use", func() bool {
		h.keeper.mu.Lock()
		defer h.keeper.mu.Unlock()
		return len(h.keeper.streams) == 0
	})
}

// Two streams to a peer keep the connection until both are closed.
func TestKeeperCounts(t *testing.T) {
	manager, err := connManager(idleConns, trimConns)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	k := newKeeper(manager)
	first, second := k.keep("a"), k.keep("a")
	first()
	first()
	if !manager.IsProtected("a", inUse) {
		t.Error("closed with the first")
	}
	second()
	if manager.IsProtected("a", inUse) {
		t.Error("kept without need")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in a minute it did not come to this: %s", what)
		}
	}
}
