package swarm

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// What breaks the protocol costs the sender its connection, its name in the
// faults, and every later connection for a while.
func TestProtocolBreachIsNamed(t *testing.T) {
	man, data := content(t, 1<<20)
	origin := newMember(t, "origin", Config{})
	s := origin.join(t, man, seeded(man, data), false)
	n, pl := man.NumPieces(), man.PieceLength()
	overlong, err := wire.EncodeHello(wire.Hello{Name: strings.Repeat("x", 129)})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]byte{
		"oversized message":           {0xff, 0xff, 0xff, 0xff, byte(wire.Bitfield)},
		"unknown message":             {0, 0, 0, 1, 77},
		"HTTP":                        []byte("GET / HTTP/1.1\r\n\r\n"),
		"have out of range":           wire.AppendHave(nil, n),
		"request out of range":        wire.AppendRange(nil, wire.Request, n, 0, 1),
		"request past the piece":      wire.AppendRange(nil, wire.Request, 0, pl, 1),
		"bitfield too short":          wire.AppendBitfield(nil, nil),
		"peer exchange":               wire.AppendExtended(nil, wire.ExtPEX, []byte("nonsense")),
		"peer exchange, bad ID":       wire.AppendExtended(nil, wire.ExtPEX, []byte("d5:addedld2:id4:../.eee")),
		"more requests than may wait": requests(man, 6000),
	}
	if rest := n % 8; rest != 0 {
		tests["bitfield with spare bits"] = wire.AppendBitfield(nil, bytes.Repeat([]byte{0xff}, (n+7)/8))
	}
	for name, msg := range tests {
		t.Run(name, func(t *testing.T) {
			evil := newRaw(t, man, data)
			c := evil.dial(t, origin.peer)
			c.send(msg)
			c.closed(t)
			within(t, time.Minute, "the peer is named", func() bool { return hasFault(s, evil.ID(), Protocol) })
			if again, err := evil.greet(evil.open(t, origin.peer)); err == nil {
				again.closed(t)
			}
		})
	}
	t.Run("handshake", func(t *testing.T) {
		for name, msg := range map[string][]byte{
			"garbage":         bytes.Repeat([]byte{0x55}, wire.HandshakeLen),
			"another content": wire.AppendHandshake(nil, wire.Handshake{Content: [20]byte{1}}),
			"not extended":    append(newRaw(t, man, data).hello(), wire.AppendHave(nil, 0)...),
			"hello too long":  wire.AppendExtended(newRaw(t, man, data).hello(), wire.ExtHandshake, overlong),
			"another ext":     wire.AppendExtended(newRaw(t, man, data).hello(), 5, nil),
		} {
			t.Run(name, func(t *testing.T) {
				st := newRaw(t, man, data).open(t, origin.peer)
				if _, err := st.Write(msg); err != nil {
					t.Fatal(err)
				}
				_ = st.SetReadDeadline(time.Now().Add(handshakeTimeout / 2))
				for b := make([]byte, 1024); ; {
					if _, err := st.Read(b); err != nil {
						if strings.Contains(err.Error(), "deadline") {
							t.Error("not closed")
						}
						return
					}
				}
			})
		}
	})
	leecher := newMember(t, "leecher", Config{})
	st := newMemory(man)
	waitComplete(t, leecher.join(t, man, st, false, origin.peer))
	st.check(t, data)
}

// requests is n different requests, of a byte each.
func requests(man *shoal.Manifest, n int) (b []byte) {
	for i := range n {
		b = wire.AppendRange(b, wire.Request, 0, i%man.PieceSize(0), 1+i/man.PieceSize(0))
	}
	return b
}

func (p raw) hello() []byte {
	return wire.AppendHandshake(nil, wire.Handshake{Content: p.man.ID().Truncated(), Peer: wire.PeerID(p.ID())})
}

// Peers that only take up room don't keep a content from the others, and
// memory stays bounded.
func TestSwarmCompletesAmongHostilePeers(t *testing.T) {
	t.Parallel()
	man, data := content(t, 4<<20)
	origin := newMember(t, "origin", Config{})
	src := origin.join(t, man, seeded(man, data), true)
	attacks := map[string]func(raw, rawConn){
		"asks for everything and reads nothing": func(p raw, c rawConn) {
			for i := range man.NumPieces() {
				c.send(wire.AppendRange(nil, wire.Request, i, 0, man.PieceSize(i)))
			}
		},
		"takes every request back": func(p raw, c rawConn) {
			for i := range 20000 {
				b := wire.AppendRange(nil, wire.Request, i%man.NumPieces(), 0, 1)
				if !c.send(wire.AppendRange(b, wire.Cancel, i%man.NumPieces(), 0, 1)) {
					return
				}
			}
		},
		"sends what nobody asked for": func(p raw, c rawConn) {
			for i := range man.NumPieces() {
				if !c.send(p.block(nil, i, 0, man.PieceSize(i))) {
					return
				}
			}
		},
		"changes its mind": func(p raw, c rawConn) {
			for range 2000 {
				b := wire.AppendSimple(nil, wire.HaveAll)
				if !c.send(wire.AppendSimple(b, wire.HaveNone)) {
					return
				}
			}
		},
		"says nothing": func(raw, rawConn) {},
	}
	for name, attack := range attacks {
		p := newRaw(t, man, data)
		c := p.dial(t, origin.peer)
		t.Log(p.ID().Short(), name)
		go attack(p, c)
	}
	for range 40 { // slow handshakes
		p := newRaw(t, man, data)
		if _, err := p.open(t, origin.peer).Write(p.hello()[:10]); err != nil {
			t.Fatal(err)
		}
	}
	var swarms []*Swarm
	var stores []*memory
	var peers []Peer
	for i := range 3 {
		m := newMember(t, fmt.Sprint("n", i), Config{})
		st := newMemory(man)
		swarms = append(swarms, m.join(t, man, st, false, append(peers, origin.peer)...))
		stores, peers = append(stores, st), append(peers, m.peer)
	}
	for i, s := range swarms {
		waitComplete(t, s)
		stores[i].check(t, data)
	}
	t.Logf("origin: %+v", src.Stats())
}

// A peer that makes us talk and does not listen is disconnected before its
// messages take much memory.
func TestPeerThatDoesNotListen(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	m := newMember(t, "victim", Config{})
	s := m.join(t, man, newMemory(man), false)
	evil := newRaw(t, man, data)
	c := evil.dial(t, m.peer)
	flood := bytes.Repeat(wire.AppendRange(nil, wire.Request, 0, 0, 1), 1000) // each is rejected
	var sent, most int
	for c.send(flood) {
		if sent += len(flood); sent > 64<<20 {
			t.Fatalf("still connected after %d bytes", sent)
		}
		most = max(most, look(t, s, func(s *Swarm) int {
			if c := s.conns[evil.ID()]; c != nil {
				c.out.mu.Lock()
				defer c.out.mu.Unlock()
				return cap(c.out.control)
			}
			return 0
		}))
	}
	t.Logf("closed after %d bytes, with room for %d in the outbox", sent, most)
	if most > 2*maxControl {
		t.Errorf("%d bytes waited", most)
	}
}

// Every goroutine has ended when Leave returns, whatever was under way.
func TestLeaveEndsEverything(t *testing.T) {
	man, data := content(t, 4<<20)
	origin := newMember(t, "origin", Config{Up: 1 << 20})
	src := origin.join(t, man, seeded(man, data), true)
	m := newMember(t, "leecher", Config{})
	nowhere := Peer{ID: newTestHost(t).ID(), Addrs: []string{"/ip4/127.0.0.1/tcp/1"}}
	s := m.join(t, man, newMemory(man), false, origin.peer, nowhere)
	p := newRaw(t, man, data)
	c := p.dial(t, m.peer)
	p.open(t, m.peer)
	within(t, time.Minute, "some pieces", func() bool { return s.Stats().Pieces > 2 })
	s.Leave()
	src.Leave()
	within(t, time.Minute, "no goroutine of a swarm", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !bytes.Contains(stacks, []byte("shoal/swarm.(*Swarm)")) && !bytes.Contains(stacks, []byte("shoal/swarm.(*conn)"))
	})
	c.closed(t)
	if s.Err() != nil || src.Err() != nil {
		t.Errorf("after Leave: %v, %v", s.Err(), src.Err())
	}
	s.Leave()
	s.AddPeers([]Peer{origin.peer})
}
