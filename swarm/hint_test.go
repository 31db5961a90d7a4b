package swarm

import (
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A hint leads a swarm to a peer that nobody else named, and the peer's own word on
// where it is goes to who keeps a book of peers, and to others (B4).
func TestHintAndMet(t *testing.T) {
	t.Parallel()
	man, data := content(t, 200<<10)
	met := make(chan Peer, 100)
	record := func(p Peer) {
		select {
		case met <- p:
		default:
		}
	}
	holder := newMember(t, "holder", Config{Met: record, Locality: shoal.Locality{Carrier: "east"}})
	sh := holder.join(t, man, seeded(man, data), true)
	m := newMember(t, "seeker", Config{Locality: shoal.Locality{Carrier: "west"}})
	if m.Hint(man.ID(), holder.peer) {
		t.Error("a hint for a swarm that has not begun is taken")
	}
	st := newMemory(man)
	s := m.join(t, man, st, false)
	if got := m.Contents(); !slices.Equal(got, []shoal.ContentID{man.ID()}) {
		t.Errorf("contents %v", got)
	}
	if !m.Hint(man.ID(), Peer{ID: holder.peer.ID, Addrs: holder.peer.Addrs}) {
		t.Error("a hint is not taken")
	}
	waitComplete(t, s)
	st.check(t, data)
	within(t, time.Minute, "the holder notes the seeker", func() bool {
		sh.post(inLoop(func(s *Swarm) { // need not wait for its turn
			for id := range s.pexDue {
				s.pexDue[id] = time.Time{}
			}
			s.sendPEX(time.Now())
		}))
		select {
		case p := <-met:
			// It came from a port of its own, and listens on others.
			return p.ID == m.peer.ID && p.Name == "seeker" && p.Carrier == "west" && slices.Contains(p.Addrs, m.peer.Addrs[0])
		default:
			return false
		}
	})
}

// A swarm that is busy keeps nobody waiting who has but a hint.
func TestHintDoesNotBlock(t *testing.T) {
	t.Parallel()
	man, _ := content(t, 100<<10)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, newMemory(man), false)
	busy := make(chan struct{})
	defer close(busy)
	s.post(inLoop(func(*Swarm) { <-busy }))
	for len(s.events) > 0 { // the loop has not yet taken the first
		time.Sleep(time.Millisecond)
	}
	for range cap(s.events) {
		s.post(inLoop(func(*Swarm) {}))
	}
	taken := make(chan bool)
	go func() { taken <- m.Hint(man.ID(), Peer{ID: "x", Addrs: []string{"/ip4/198.18.0.1/tcp/1"}}) }()
	select {
	case ok := <-taken:
		if !ok {
			t.Error("there is no such swarm")
		}
	case <-time.After(time.Minute):
		t.Error("it waits")
	}
}

// A peer that could not be reached may be somewhere else by now.
func TestRosterHintOfLostPeer(t *testing.T) {
	r := newRoster("a")
	r.add(contactOf("b"), start)
	moved := Peer{ID: "b", Addrs: []string{"/ip4/198.18.0.2/tcp/2"}}
	r.plan(start, nobody, 0)
	r.hint(moved, start)
	if slices.Equal(r.known["b"].Addrs, moved.Addrs) {
		t.Error("a hint changes what is being tried")
	}
	r.dialled("b", start)
	r.hint(Peer{ID: "b"}, start)
	r.hint(moved, start)
	if !slices.Equal(r.known["b"].Addrs, moved.Addrs) {
		t.Errorf("still at %v", r.known["b"].Addrs)
	}
	if r.known["b"].failures != 1 {
		t.Error("a hint makes a peer dialled sooner")
	}
}

// What a peer says of itself comes before what was told of it.
func TestAddrsOfConnectedPeer(t *testing.T) {
	t.Parallel()
	man, _ := content(t, 100<<10)
	a, b := newMember(t, "a", Config{}), newMember(t, "b", Config{})
	sa := a.join(t, man, newMemory(man), false)
	b.join(t, man, newMemory(man), false, a.peer)
	within(t, time.Minute, "they are connected", func() bool { return sa.Stats().Peers == 1 })
	old := "/ip4/198.18.0.9/tcp/9"
	sa.AddPeers([]Peer{{ID: b.peer.ID, Addrs: []string{old}}})
	within(t, time.Minute, "both are known", func() bool {
		got := make(chan []string, 1)
		sa.post(inLoop(func(s *Swarm) { got <- s.addrsOf(b.peer.ID) }))
		addrs := <-got
		i, j := slices.Index(addrs, b.peer.Addrs[0]), slices.Index(addrs, old)
		return i >= 0 && i < j
	})
}
