package swarm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// others are messages that name so many peers, none of which can be reached; their index is how many.
func others(t *testing.T, most int) (messages [][]byte) {
	t.Helper()
	var named []wire.PEXPeer
	for {
		body, err := wire.EncodePEX(named)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, wire.AppendExtended(nil, wire.ExtPEX, body))
		if len(messages) > most {
			return messages
		}
		named = append(named, wire.PEXPeer{ID: string(newTestHost(t).ID()), Addrs: []string{"/ip4/127.0.0.1/tcp/1"}})
	}
}

// neverStarves keeps a node content with its neighbours, though they give it nothing.
func neverStarves(t *testing.T, s *Swarm) {
	t.Helper()
	look(t, s, func(s *Swarm) bool { s.fed = time.Now().Add(time.Hour); return true })
}

// Of more than mostNeighbours that lack pieces those may go that came by themselves and have
// others, and no more of them. A node that has everything keeps them all, and so does one that
// is alone in its carrier.
func TestNeighboursAreBounded(t *testing.T) {
	t.Parallel()
	const chosen, come = 3, mostNeighbours
	man, data := content(t, 1<<20)
	many := others(t, neighbours)[neighbours]
	for name, c := range map[string]struct {
		store Store
		at    string
		want  int
	}{
		"it lacks pieces":              {newMemory(man), "", mostNeighbours},
		"it has everything":            {seeded(man, data), "", come},
		"the others are in a carrier":  {newMemory(man), "elsewhere", chosen + come},
		"it is in their own, like all": {newMemory(man), "here", mostNeighbours},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMember(t, "m", Config{Locality: shoal.Locality{Carrier: "here"}})
			s := m.join(t, man, c.store, false)
			neverStarves(t, s)
			peers := func() int { return look(t, s, func(s *Swarm) int { return len(s.conns) }) }
			tell, end := make(chan struct{}), make(chan struct{})
			defer close(end)
			var ours []shoal.NodeID
			for range chosen {
				p := newRaw(t, man, data)
				p.serve(func(conn rawConn) {
					select {
					case <-tell:
						conn.send(many)
						<-end
					case <-end:
					}
				})
				ours = append(ours, p.ID())
				other := p.peer()
				other.Carrier = c.at
				s.AddPeers([]Peer{other})
			}
			reached := chosen
			if c.store.Pieces().Full() {
				reached = 0 // it dials nobody
			}
			within(t, time.Minute, "it has chosen some", func() bool { return peers() == reached })
			var conns []rawConn
			for i := range come {
				conns = append(conns, newRaw(t, man, data).dial(t, m.peer))
				within(t, time.Minute, "all are connected", func() bool { return peers() == reached+i+1 })
			}
			close(tell)
			for _, conn := range conns {
				conn.send(many)
			}
			counted := func(s *Swarm) int {
				n := 0
				for _, conn := range s.conns {
					if conn.others == neighbours {
						n++
					}
				}
				return n
			}
			within(t, time.Minute, "it knows what all have", func() bool {
				return look(t, s, func(s *Swarm) bool { return counted(s) == len(s.conns) && len(s.conns) <= c.want })
			})
			left := look(t, s, func(s *Swarm) []shoal.NodeID {
				var ids []shoal.NodeID
				for id := range s.conns {
					ids = append(ids, id)
				}
				return ids
			})
			if len(left) != c.want {
				t.Errorf("%d are left, want %d", len(left), c.want)
			}
			for _, id := range ours {
				if reached > 0 && !slices.Contains(left, id) {
					t.Error("one that it chose is let go")
				}
			}
		})
	}
}

// Who has nobody else is not let go, however many there are.
func TestLonelyNeighboursStay(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, newMemory(man), false)
	neverStarves(t, s)
	few := others(t, enough-1)
	for i := range mostNeighbours + 2 {
		p := newRaw(t, man, data)
		p.dial(t, m.peer).send(few[i%enough])
		within(t, time.Minute, fmt.Sprintf("neighbour %d has told, and all stay", i), func() bool {
			return look(t, s, func(s *Swarm) bool {
				c := s.conns[p.ID()]
				return c != nil && c.told && len(s.conns) == i+1
			})
		})
	}
}

// Of many that come at once those may go that have had no time to say what others they
// have, but not the one that has just come.
func TestNewNeighboursMakeRoom(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, newMemory(man), false)
	neverStarves(t, s)
	for i := range mostNeighbours + 3 {
		p := newRaw(t, man, data)
		c := p.dial(t, m.peer)
		within(t, time.Minute, "it is connected", func() bool {
			return look(t, s, func(s *Swarm) bool {
				for _, other := range s.conns {
					other.since = time.Now() // however slow this machine is
				}
				return s.conns[p.ID()] != nil
			})
		})
		if !c.send(wire.AppendSimple(nil, wire.HaveNone)) {
			t.Fatal("it hung up")
		}
		within(t, time.Minute, "another one has gone for it", func() bool {
			return look(t, s, func(s *Swarm) bool { return s.conns[p.ID()] != nil && len(s.conns) == min(i+1, mostNeighbours) })
		})
	}
}
