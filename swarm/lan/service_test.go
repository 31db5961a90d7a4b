package lan

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// testService runs a service on loopback. Its addresses are made up.
func testService(t *testing.T, port uint16, addr string, have, total int) (*Service, shoal.NodeID) {
	t.Helper()
	key, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Key: key, Port: port, Listen: func() []string { return []string{addr} },
		Holds: func(shoal.ContentID) (int, int, bool) { return have, total, total > 0 },
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	id, err := transport.NodeIDOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return s, id
}

// freePort is a UDP port that nobody has.
func freePort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// Three nodes of one machine, over loopback: who looks for a content finds the one
// that holds some, and the other that looks for it too.
func TestFind(t *testing.T) {
	port := freePort(t)
	holder, holderID := testService(t, port, "/ip4/127.0.0.1/tcp/1001", 5, 5)
	seeker, seekerID := testService(t, port, "/ip4/127.0.0.1/tcp/1002", 0, 0)
	other, otherID := testService(t, port, "/ip4/127.0.0.1/udp/1003/quic-v1", 0, 0)
	_ = holder
	id := shoal.ContentID{1}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	expect := func(s *Service, want map[shoal.NodeID]string) {
		enough, stop := context.WithCancel(ctx)
		err := s.Find(enough, id, func(p swarm.Peer) {
			addr, ok := want[p.ID]
			if !ok {
				return
			}
			if len(p.Addrs) != 1 || p.Addrs[0] != addr || p.Seed != (p.ID == holderID) {
				t.Errorf("found %+v", p)
			}
			if delete(want, p.ID); len(want) == 0 {
				stop()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("find: %v, not found: %v", err, want)
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		expect(seeker, map[shoal.NodeID]string{holderID: "/ip4/127.0.0.1/tcp/1001", otherID: "/ip4/127.0.0.1/udp/1003/quic-v1"})
	})
	expect(other, map[shoal.NodeID]string{holderID: "/ip4/127.0.0.1/tcp/1001", seekerID: "/ip4/127.0.0.1/tcp/1002"})
	both.Wait()
}

func TestFindEnds(t *testing.T) {
	s, _ := testService(t, freePort(t), "/ip4/127.0.0.1/tcp/1001", 0, 0)
	go s.Close()
	if err := s.Find(t.Context(), shoal.ContentID{1}, func(swarm.Peer) {}); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("find on a closed service: %v", err)
	}
	if len(s.engine.searches)+len(s.finds) > 0 {
		t.Error("it still looks for the content")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Key: []byte("x")}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
	taken, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	key, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Config{Key: key, Port: taken.LocalAddr().(*net.UDPAddr).AddrPort().Port(), Listen: func() []string { return nil }})
	if err == nil {
		t.Error("took a port that another program does not share")
	}
}
