package swarm

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// Two nodes that dial each other at the same time end with one connection, the
// same on both sides.
func TestSimultaneousDials(t *testing.T) {
	t.Parallel()
	man, _ := content(t, 100<<10)
	for i := range 8 {
		a, b := newMember(t, "a", Config{}), newMember(t, "b", Config{})
		a.peer.Seed, b.peer.Seed = i&1 != 0, i&2 != 0 // by mistake: those are not waited for
		sa, sb := a.join(t, man, newMemory(man), false), b.join(t, man, newMemory(man), false)
		dialNow := func(s *Swarm, p Peer) {
			s.post(inLoop(func(s *Swarm) {
				s.roster.add(p, start) // long ago: no politeness
				s.dial(time.Now())
			}))
		}
		dialNow(sa, b.peer)
		dialNow(sb, a.peer)
		initiator := func(s *Swarm, of shoal.NodeID) shoal.NodeID {
			return look(t, s, func(s *Swarm) shoal.NodeID {
				if c := s.conns[of]; c != nil && s.roster.dials == 0 {
					return c.initiator()
				}
				return ""
			})
		}
		within(t, time.Minute, "one connection, the same on both sides", func() bool {
			i, j := initiator(sa, b.peer.ID), initiator(sb, a.peer.ID)
			return i != "" && i == j
		})
		if sa.state.Peers() != 1 || sb.state.Peers() != 1 {
			t.Errorf("%d and %d peers", sa.state.Peers(), sb.state.Peers())
		}
		a.Close()
		b.Close()
	}
}

// A node that gets nowhere with its neighbours looks for more, whoever they are.
func TestStarvedNodeLooksForMore(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	seed, m := newMember(t, "seed", Config{}), newMember(t, "m", Config{})
	seed.join(t, man, seeded(man, data), false)
	s := m.join(t, man, newMemory(man), false)
	starved := func(s *Swarm) bool {
		s.fed, s.surveyed = time.Now().Add(-starvation), time.Time{}
		s.publish()
		return s.roster.starved
	}
	if !look(t, s, starved) {
		t.Error("it is content with nobody")
	}
	s.Claim(t.Context(), 1<<30, nil) // nothing is asked of the seed, which stays useful
	s.AddPeers([]Peer{seed.peer})
	within(t, time.Minute, "the seed is connected", func() bool { return s.Stats().Useful == 1 })
	if look(t, s, starved) {
		t.Error("it looks for more with a seed at hand")
	}
}

// Nodes that nobody introduced learn of each other from a common peer, also
// where that one knows them only because they dialled it (B4).
func TestPeerExchange(t *testing.T) {
	t.Parallel()
	man, _ := content(t, 200<<10)
	hub := newMember(t, "hub", Config{})
	sh := hub.join(t, man, newMemory(man), false)
	const n = 3
	var swarms []*Swarm
	for i := range n {
		swarms = append(swarms, newMember(t, fmt.Sprint("n", i), Config{}).join(t, man, newMemory(man), false, hub.peer))
	}
	within(t, time.Minute, "all know the hub", func() bool { return sh.Stats().Peers == n })
	within(t, time.Minute, "all know each other", func() bool {
		sh.post(inLoop(func(s *Swarm) { // need not wait for its turn
			for id := range s.pexDue {
				s.pexDue[id] = time.Time{}
			}
			s.sendPEX(time.Now())
		}))
		for _, s := range swarms {
			if s.Stats().Peers != n {
				return false
			}
		}
		return true
	})
}

// Leave and Join again over the same store fetches only what it lacks.
func TestRejoinResumes(t *testing.T) {
	t.Parallel()
	man, data := content(t, 2<<20)
	origin := newMember(t, "origin", Config{Up: 4 << 20})
	origin.join(t, man, seeded(man, data), true)
	m := newMember(t, "leecher", Config{})
	st := newMemory(man)
	s := m.join(t, man, st, false, origin.peer)
	if _, err := m.Join(man, st, false); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("joined twice: %v", err)
	}
	within(t, time.Minute, "some pieces", func() bool { return s.Stats().Pieces > man.NumPieces()/4 })
	s.Leave()
	had := st.Pieces().Count()
	s = m.join(t, man, st, false, origin.peer)
	waitComplete(t, s)
	st.check(t, data)
	if got, lacked := s.Stats().Bytes.Origin, int64(len(data)-had*man.PieceLength()); got > lacked+int64(man.PieceLength()) {
		t.Errorf("fetched %d bytes where %d were lacking", got, lacked)
	}
	m.Close()
	if _, err := m.Join(man, st, false); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("joined after Close: %v", err)
	}
}

// Several contents move over the same hosts at once, and apart.
func TestTwoContentsAtOnce(t *testing.T) {
	t.Parallel()
	man1, data1 := content(t, 2<<20)
	man2, data2 := content(t, 3<<20)
	a, b := newMember(t, "a", Config{}), newMember(t, "b", Config{})
	a.join(t, man1, seeded(man1, data1), true)
	b.join(t, man2, seeded(man2, data2), true)
	st1, st2 := newMemory(man1), newMemory(man2)
	s1, s2 := b.join(t, man1, st1, false, a.peer), a.join(t, man2, st2, false, b.peer)
	waitComplete(t, s1)
	waitComplete(t, s2)
	st1.check(t, data1)
	st2.check(t, data2)
	within(t, time.Minute, "a peer for each content", func() bool { return a.PeerCount() == 2 })
}

// A limit on the rate holds: less time than it takes can't pass.
func TestRateLimits(t *testing.T) {
	const size, limit = 1 << 20, 2 << 20
	for _, tt := range []struct {
		name     string
		from, to Config
	}{
		{"up", Config{Up: limit}, Config{}},
		{"down", Config{}, Config{Down: limit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			man, data := content(t, size)
			origin := newMember(t, "origin", tt.from)
			origin.join(t, man, seeded(man, data), true)
			st := newMemory(man)
			began := time.Now()
			s := newMember(t, "leecher", tt.to).join(t, man, st, false, origin.peer)
			waitComplete(t, s)
			st.check(t, data)
			burst := 64 << 10
			if least := time.Duration(float64(size-2*burst) / limit * float64(time.Second)); time.Since(began) < least {
				t.Errorf("took %v, not even %v", time.Since(began), least)
			}
		})
	}
}

// HAVEs that come close together leave in one write, after a short wait.
func TestHavesTravelTogether(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, newMemory(man), false)
	p := newRaw(t, man, data)
	c := p.dial(t, m.peer)
	if msg, err := c.r.Read(); err != nil || msg.Type != wire.HaveNone {
		t.Fatalf("%+v, %v", msg, err)
	}
	const n, wait = 10, 100 * time.Millisecond
	began := time.Now()
	look(t, s, func(s *Swarm) int {
		for i := range n {
			s.conns[p.ID()].out.putHave(i, wait)
		}
		return 0
	})
	b := make([]byte, 1024)
	got, err := c.Stream.Read(b) // the reader's buffer is empty: nothing else was sent
	if err != nil || got != n*9 {
		t.Errorf("%d bytes, %v, want %d HAVEs at once", got, err, n)
	}
	if d := time.Since(began); d < wait {
		t.Errorf("sent after %v, before %v", d, wait)
	}
}

func TestFolderOfEmptyFilesIsComplete(t *testing.T) {
	man, data := content(t, 0)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, seeded(man, data), false)
	waitComplete(t, s)
}

// A piece that can't be read is refused, and comes from elsewhere.
func TestUnreadablePieceComesFromAnother(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	broken := seeded(man, data)
	broken.held.Remove(3) // ReadAt fails; the swarm has seen it before
	m := newMember(t, "broken", Config{})
	full := brokenStore{broken}
	m.join(t, man, full, false)
	good := newMember(t, "good", Config{})
	good.join(t, man, seeded(man, data), false)
	st := newMemory(man)
	s := newMember(t, "leecher", Config{}).join(t, man, st, false, m.peer)
	within(t, time.Minute, "all but one piece", func() bool { return s.Stats().Pieces == man.NumPieces()-1 })
	s.AddPeers([]Peer{good.peer})
	waitComplete(t, s)
	st.check(t, data)
	if f := s.Stats().Faults; len(f) != 0 {
		t.Errorf("faults %+v", f)
	}
}

// brokenStore claims to have everything.
type brokenStore struct{ *memory }

func (b brokenStore) Pieces() *shoal.PieceSet { return shoal.FullPieceSet(b.m.NumPieces()) }
