package swarm

import (
	"bufio"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// seed is a raw peer as a tracker names it that takes it for complete.
func (p raw) seed() Peer { return Peer{ID: p.ID(), Addrs: p.Addrs(), Seed: true} }

// heldBack accepts streams, and calls f with the first request on each before it has
// said a word itself.
func (p raw) heldBack(tb testing.TB, f func(st *transport.Stream, r *wire.Reader, first wire.Message)) {
	p.Handle(wire.Protocol, func(st *transport.Stream) {
		defer st.Close()
		br := bufio.NewReader(st)
		if hs, err := wire.ReadHandshake(br); err != nil || hs.Content != p.man.ID().Truncated() {
			tb.Errorf("handshake %+v, %v", hs, err)
			return
		}
		r := wire.NewReader(br, wire.Limits{Pieces: p.man.NumPieces(), PieceLength: p.man.PieceLength()})
		for i := 0; ; i++ {
			m, err := r.Read()
			if err != nil {
				return // it gave up
			}
			if hello := m.Type == wire.Extended && m.Ext == wire.ExtHandshake; hello != (i == 0) {
				tb.Errorf("message %d is %v", i, m.Type)
			}
			if m.Type == wire.Request {
				f(st, r, m)
				return
			}
		}
	})
}

// says is a peer's handshakes, for a content, and what it has.
func (p raw) says(tb testing.TB, id shoal.ContentID, h wire.Hello, has *shoal.PieceSet) []byte {
	hello, err := wire.EncodeHello(h)
	if err != nil {
		tb.Error(err)
	}
	b := wire.AppendHandshake(nil, wire.Handshake{Content: id.Truncated(), Peer: wire.PeerID(p.ID())})
	return appendPieces(wire.AppendExtended(b, wire.ExtHandshake, hello), has)
}

func await(tb testing.TB, c <-chan struct{}, what string) {
	tb.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		tb.Fatalf("not within a minute: %s", what)
	}
}

// What a reader waits for is asked of a named seed right behind our handshake, before
// its own has come, and what comes is counted by what it says of itself then.
func TestReaderDoesNotWaitForTheHello(t *testing.T) {
	t.Parallel()
	man, data := content(t, 200<<10)
	all := int64(len(data))
	here, there := shoal.Locality{Carrier: "here"}, shoal.Locality{Carrier: "there"}
	for _, tt := range []struct {
		name  string
		told  shoal.Locality // where the seed is, by the tracker
		hello wire.Hello
		want  Bytes
	}{
		{"an origin", shoal.Locality{}, wire.Hello{Origin: true}, Bytes{Origin: all}},
		{"a holder", here, wire.Hello{Locality: here}, Bytes{Peers: all}},
		{"an origin elsewhere", there, wire.Hello{Origin: true, Locality: there}, Bytes{Origin: all, CrossCarrier: all}},
		{"an origin that has moved away", here, wire.Hello{Origin: true, Locality: there}, Bytes{Origin: all, CrossCarrier: all}},
		{"a holder that has moved here", there, wire.Hello{Locality: here}, Bytes{Peers: all}},
		{"one that does not know where it is", there, wire.Hello{}, Bytes{Peers: all, CrossCarrier: all}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seed := newRaw(t, man, data)
			seed.heldBack(t, func(st *transport.Stream, r *wire.Reader, m wire.Message) {
				c := rawConn{st, r}
				c.send(append(seed.says(t, man.ID(), tt.hello, shoal.FullPieceSet(man.NumPieces())), seed.block(nil, m.Piece, 0, m.Length)...))
				c.requests(func(m wire.Message) bool { return c.send(seed.block(nil, m.Piece, 0, m.Length)) })
			})
			st := newMemory(man)
			m := newMember(t, "m", Config{Locality: here})
			s := m.join(t, man, st, false)
			s.Want(man.NumPieces()-1, 1)
			peer := seed.seed()
			peer.Locality = tt.told
			s.AddPeers([]Peer{peer})
			waitComplete(t, s)
			st.check(t, data)
			got := s.Stats()
			got.Bytes.Wasted = 0 // on a machine so busy that the answer took a second
			if got.Bytes != tt.want || len(got.Faults) > 0 {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if got := look(t, s, func(s *Swarm) string { return s.conns[seed.ID()].hello.Locality.Carrier }); got != tt.hello.Locality.Carrier {
				t.Errorf("known to be in %q", got)
			}
		})
	}
}

// A named seed that is none, or not there, costs a reader little: what was asked of
// it is asked of another, and it is named for nothing but for what it did.
func TestPresumedInVain(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<10) // one piece: nobody shows to be faster by another
	other, _ := content(t, 2<<10)
	none := shoal.NewPieceSet(1)
	for name, answer := range map[string]func(raw, rawConn, wire.Message){
		"it lacks the piece": func(p raw, c rawConn, m wire.Message) {
			c.send(wire.AppendRange(p.says(t, man.ID(), wire.Hello{}, none), wire.Reject, m.Piece, m.Begin, m.Length))
			c.requests(func(wire.Message) bool { return true })
		},
		"it serves another content": func(p raw, c rawConn, m wire.Message) {
			c.send(append(p.says(t, other.ID(), wire.Hello{}, shoal.FullPieceSet(1)), p.block(nil, 0, 0, m.Length)...))
			c.requests(func(wire.Message) bool { return true })
		},
		"it says something else first": func(p raw, c rawConn, m wire.Message) {
			c.send(p.block(p.hello(), 0, 0, m.Length))
			c.requests(func(wire.Message) bool { return true })
		},
		"it hangs up": func(raw, rawConn, wire.Message) {},
		"it says nothing": func(_ raw, c rawConn, _ wire.Message) {
			c.requests(func(wire.Message) bool { return true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, gone := make(chan struct{}, 1), make(chan struct{}, 1)
			liar := newRaw(t, man, data)
			liar.heldBack(t, func(st *transport.Stream, r *wire.Reader, m wire.Message) {
				asked <- struct{}{}
				answer(liar, rawConn{st, r}, m)
				gone <- struct{}{}
			})
			good := newMember(t, "good", Config{})
			good.join(t, man, seeded(man, data), true)
			st := newMemory(man)
			s := newMember(t, "m", Config{}).join(t, man, st, false, liar.seed())
			s.Want(0, 1)
			await(t, asked, "it is asked")
			good.peer.Seed = true
			s.AddPeers([]Peer{good.peer})
			waitComplete(t, s)
			st.check(t, data)
			if got := s.Stats(); len(got.Faults) > 0 || got.Bytes.Origin != int64(len(data)) {
				t.Errorf("%+v", got)
			}
			switch name {
			case "it lacks the piece", "it says nothing": // it may yet be of use, or greet us
			default:
				await(t, gone, "it hears of it")
				within(t, time.Minute, "it is disconnected", func() bool {
					return look(t, s, func(s *Swarm) bool { return s.conns[liar.ID()] == nil })
				})
			}
		})
	}
}

// Nothing is told to other peers of one that has not greeted us, nor does it count
// as a connection that lasted.
func TestPresumedIsNotMet(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	var met atomic.Int64
	seed := newRaw(t, man, data)
	release := make(chan struct{})
	seed.heldBack(t, func(st *transport.Stream, r *wire.Reader, _ wire.Message) { <-release })
	m := newMember(t, "m", Config{Met: func(p Peer) {
		if p.ID == seed.ID() {
			met.Add(1)
		}
	}})
	s := m.join(t, man, newMemory(man), false, seed.seed())
	s.Want(0, 1)
	within(t, time.Minute, "it is asked", func() bool {
		return look(t, s, func(s *Swarm) bool { return s.conns[seed.ID()] != nil })
	})
	other := newRaw(t, man, data)
	conn := other.dial(t, m.peer)
	within(t, time.Minute, "another is connected", func() bool {
		return look(t, s, func(s *Swarm) bool { return s.conns[other.ID()] != nil })
	})
	if lasted := look(t, s, func(s *Swarm) time.Duration {
		s.conns[other.ID()].hello.PEX = wire.ExtPEX // raw peers don't say that they take it
		s.sendPEX(time.Now().Add(pexInterval))
		s.send(other.ID(), func(b []byte) []byte { return wire.AppendHave(b, 0) }) // after anything of that
		return s.conns[seed.ID()].lasted()
	}); lasted != 0 || met.Load() != 0 {
		t.Errorf("met %d times, of use for %v", met.Load(), lasted)
	}
	for {
		msg, err := conn.r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if msg.Type == wire.Extended && msg.Ext == wire.ExtPEX {
			t.Error("another peer is told of it")
		}
		if msg.Type == wire.Have {
			break
		}
	}
	close(release)
	within(t, time.Minute, "it is gone", func() bool {
		return look(t, s, func(s *Swarm) bool { return s.conns[seed.ID()] == nil })
	})
	if !look(t, s, func(s *Swarm) bool { return s.roster.known[seed.ID()].failures > 0 }) {
		t.Error("nothing is held against it")
	}
}

// Whom to presume.
func TestPresumes(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<10)
	here, there := shoal.Locality{Carrier: "here"}, shoal.Locality{Carrier: "there"}
	s := newMember(t, "m", Config{Locality: here}).join(t, man, newMemory(man), false)
	full := newMember(t, "full", Config{}).join(t, man, seeded(man, data), false)
	seed := func(at shoal.Locality) *contact { return &contact{Peer: Peer{ID: "p", Seed: true, Locality: at}} }
	failed := func(k *contact) *contact { k.failures = 1; return k }
	for _, tt := range []struct {
		name  string
		swarm *Swarm
		known map[shoal.NodeID]*contact
		want  bool
	}{
		{"a seed", s, map[shoal.NodeID]*contact{"p": seed(shoal.Locality{})}, true},
		{"one that lacks pieces", s, map[shoal.NodeID]*contact{"p": {Peer: Peer{ID: "p"}}}, false},
		{"a seed, of one that lacks nothing", full, map[shoal.NodeID]*contact{"p": seed(here)}, false},
		{"one that failed", s, map[shoal.NodeID]*contact{"p": failed(seed(here))}, false},
		{"a far one", s, map[shoal.NodeID]*contact{"p": seed(there), "q": {Peer: Peer{ID: "q", Locality: here}}}, true},
		{"a far one beside a near one", s, map[shoal.NodeID]*contact{"p": seed(there), "q": seed(here)}, false},
		{"a far one beside a near one that failed", s, map[shoal.NodeID]*contact{"p": seed(there), "q": failed(seed(here))}, true},
		{"a near one beside a far one", s, map[shoal.NodeID]*contact{"p": seed(here), "q": seed(there)}, true},
		{"one that was forgotten", s, nil, false},
	} {
		if got := look(t, tt.swarm, func(s *Swarm) bool {
			before := s.roster.known
			defer func() { s.roster.known = before }()
			s.roster.known = tt.known
			p := Peer{ID: "p", Seed: true}
			if k := tt.known["p"]; k != nil {
				p = k.Peer
			}
			return s.presumes(p)
		}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
