package dht

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	p2pnet "github.com/libp2p/go-libp2p/core/network"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// member is a node with a DHT, and what it has.
type member struct {
	*Service
	host *transport.Host
	peer swarm.Peer

	mu    sync.Mutex
	known []swarm.Peer
	held  []shoal.ContentID
}

func newMember(t *testing.T, client bool, known ...swarm.Peer) *member {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	key, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	h, err := transport.New(transport.Config{Key: key, Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	m := &member{host: h, known: known, peer: swarm.Peer{ID: h.ID(), Addrs: h.Addrs()}}
	m.Service = New(Config{
		Host: h.Libp2p(), Client: client, Log: log,
		Needed: func() bool { return true },
		Known:  func() []swarm.Peer { m.mu.Lock(); defer m.mu.Unlock(); return m.known },
		Held:   func() []shoal.ContentID { m.mu.Lock(); defer m.mu.Unlock(); return m.held },
	})
	return m
}

func (m *member) hold(ids ...shoal.ContentID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = ids
}

// enter has the member take part, as Run does when that is needed.
func (m *member) enter(t *testing.T) (leave func()) {
	t.Helper()
	leave, err := m.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leave = sync.OnceFunc(leave)
	t.Cleanup(leave)
	return leave
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in a minute it did not come to this: %s", what)
		}
	}
}

// finds looks once.
func (m *member) finds(t *testing.T, id shoal.ContentID) (found []swarm.Peer) {
	t.Helper()
	err := m.look(t.Context(), id, func(p swarm.Peer) { found = append(found, p) })
	if err != nil && !errors.Is(err, shoal.ErrUnavailable) {
		t.Fatal(err)
	}
	return found
}

// Nodes that know one common node only find who has a content, and where (B4).
func TestFindThroughOneKnownPeer(t *testing.T) {
	t.Parallel()
	common := newMember(t, false)
	common.enter(t)
	members := []*member{common}
	for range 5 {
		m := newMember(t, false, common.peer)
		m.enter(t)
		members = append(members, m)
	}
	holder, seeker := members[1], members[5]
	holder.hold(contentOf(1), contentOf(2))
	members[2].hold(contentOf(1))
	eventually(t, "both holders are found", func() bool { return len(seeker.finds(t, contentOf(1))) == 2 })
	found := seeker.finds(t, contentOf(2))
	if len(found) != 1 || found[0].ID != holder.peer.ID {
		t.Fatalf("found %v", found)
	}
	if got := found[0].Addrs; !slices.Contains(got, holder.peer.Addrs[0]) {
		t.Errorf("found at %v, want %v", got, holder.peer.Addrs)
	}
	if s := seeker.Status(); s.Peers == 0 || s.Lookups < 2 || s.Found < 3 {
		t.Errorf("%+v", s)
	}
	if s := holder.Status(); s.Offers < 2 {
		t.Errorf("%+v", s)
	}
	if got := holder.finds(t, contentOf(2)); len(got) != 0 {
		t.Errorf("the holder finds itself: %v", got)
	}
	if got := seeker.finds(t, contentOf(3)); len(got) != 0 {
		t.Errorf("found what nobody has: %v", got)
	}
}

// A node answers no queries before another one has dialled it; a client never.
func TestServesOnceReached(t *testing.T) {
	t.Parallel()
	reached := newMember(t, false)
	reached.enter(t)
	if speaks(reached) {
		t.Error("a node answers that nobody has dialled")
	}
	guest := newMember(t, true, reached.peer)
	guest.enter(t)
	eventually(t, "the node that was dialled answers", func() bool { return speaks(reached) && guest.Status().Peers == 1 })
	other := newMember(t, false, guest.peer)
	other.enter(t)
	eventually(t, "the guest is dialled", func() bool {
		return other.host.Libp2p().Network().Connectedness(guest.host.Libp2p().ID()) == p2pnet.Connected
	})
	if speaks(guest) {
		t.Error("a guest answers")
	}
	guest.hold(contentOf(1)) // also of one that answers nothing others learn what it has
	eventually(t, "the guest's content is found", func() bool { return len(reached.finds(t, contentOf(1))) == 1 })
}

func speaks(m *member) bool {
	return slices.Contains(m.host.Libp2p().Mux().Protocols(), kadProtocol)
}

// Leaving ends all goroutines and answers, and lets a node join again.
func TestLeave(t *testing.T) {
	a := newMember(t, false)
	b := newMember(t, false, a.peer)
	for range 2 {
		leaveA, leaveB := a.enter(t), b.enter(t)
		eventually(t, "they know each other", func() bool { return b.Status().Peers == 1 && speaks(a) })
		if s := b.Status(); !s.On {
			t.Errorf("%+v", s)
		}
		leaveA()
		leaveB()
		if speaks(a) || speaks(b) || a.Status().On || a.Status().Peers > 0 {
			t.Error("it answers after it left")
		}
		if err := a.look(t.Context(), contentOf(1), nil); !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("a lookup while it is off: %v", err)
		}
		eventually(t, "nothing of it runs", func() bool {
			buf := make([]byte, 1<<20)
			return !strings.Contains(string(buf[:runtime.Stack(buf, true)]), "go-libp2p-kad-dht")
		})
	}
}

// A lookup ends with its context, in the line before it too.
func TestFindEnds(t *testing.T) {
	t.Parallel()
	m := newMember(t, false)
	m.enter(t)
	if err := m.look(t.Context(), contentOf(1), nil); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("a lookup in an empty DHT: %v", err)
	}
	for range maxLookups {
		m.lookups <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.look(ctx, contentOf(1), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := m.Find(ctx, contentOf(1), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Run joins by itself once no tracker has answered for some seconds.
func TestRun(t *testing.T) {
	t.Parallel()
	m := newMember(t, false, swarm.Peer{ID: "nonsense", Addrs: []string{"x"}}, swarm.Peer{ID: "12D3KooWNoOne"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	eventually(t, "it is on", func() bool { return m.Status().On })
	cancel()
	<-ended
	if m.Status().On {
		t.Error("it is on after its end")
	}
}
