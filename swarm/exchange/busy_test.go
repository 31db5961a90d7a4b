package exchange

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Memory for pieces that are arriving or being verified is bounded (package
// swarm), however many peers there are.
func TestOutstandingIsBounded(t *testing.T) {
	const length = 4 << 20
	s := newScript(t, 64, length)
	for i := range 40 {
		id := shoal.NodeID(fmt.Sprint("p", i))
		s.on(PeerJoined{Peer: id})
		s.on(BitfieldReceived{id, shoal.FullPieceSet(64)})
	}
	if n := s.s.inFlight(); n > maxOutstanding {
		t.Errorf("%d bytes in flight", n)
	}
	for _, p := range s.s.peers { // whole pieces, none of them verified yet
		for len(p.source.requests) > 0 {
			s.on(BlockReceived{p.id, p.source.requests[0].piece, 0, length})
			if n := s.s.inFlight(); n > maxOutstanding {
				t.Fatalf("%d bytes in flight", n)
			}
		}
	}
}

// A source that keeps back the end of every piece gets few requests, and what has come of them
// counts as memory.
func TestUnfinishedPiecesAreBounded(t *testing.T) {
	s := newScript(t, 400, piece)
	s.on(PeerJoined{Peer: "p"})
	s.on(BitfieldReceived{"p", shoal.FullPieceSet(400)})
	src := &s.s.peers[0].source
	for range 400 {
		i := slices.IndexFunc(src.requests, func(r request) bool { return r.received == 0 })
		if i < 0 {
			break
		}
		s.on(BlockReceived{"p", src.requests[i].piece, 0, piece - 1})
		s.on(Tick{})
	}
	if n := len(src.requests); n > maxPartial+1 {
		t.Errorf("%d pieces are unfinished", n)
	}
	if want := int64(len(src.requests)) * piece; s.s.inFlight() != want {
		t.Errorf("%d bytes in flight, want %d", s.s.inFlight(), want)
	}
}

// A few receivers that take a block in half a minute must not hold up the others.
func TestSlowReceiversDoNotStarveOthers(t *testing.T) {
	const length = 64 * block
	s := newScript(t, 40, length)
	for i := range 40 {
		s.s.pick.Stored(i)
	}
	slow := []shoal.NodeID{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"}
	s.join(nil, append(slow, "fast")...)
	for i, id := range slow {
		for j := range 40 {
			s.on(RequestReceived{id, (i + j) % 40, 0, block})
		}
	}
	due := map[shoal.NodeID]time.Time{}
	note := func(as []Action) {
		for _, b := range of[SendBlock](as) {
			if b.Peer != "fast" {
				due[b.Peer] = s.now.Add(30 * time.Second)
			}
		}
	}
	for _, id := range slow {
		due[id] = s.now.Add(30 * time.Second)
	}
	var waited, worst time.Duration
	waiting, next := false, 0
	for range 3 * 60 * 20 { // three minutes
		s.now = s.now.Add(TickInterval)
		note(s.s.Handle(s.now, Tick{}))
		for id, at := range due {
			if !s.now.Before(at) {
				delete(due, id)
				note(s.s.Handle(s.now, BlockSent{id}))
			}
		}
		if !waiting && !s.s.byID["fast"].sink.busy {
			next++
			waiting, waited = true, 0
			note(s.s.Handle(s.now, RequestReceived{"fast", next % 40, 0, length}))
		}
		for s.s.byID["fast"].sink.busy {
			waiting = false
			note(s.s.Handle(s.now, BlockSent{"fast"}))
		}
		if waiting {
			if waited += TickInterval; waited > worst {
				worst = waited
			}
		}
	}
	if worst > 3*time.Second {
		t.Errorf("the fast receiver waited %v for a free slot; %d requests answered", worst, next)
	}
}

// A plain seed (no origin) with more leechers than its uplink serves within a
// source's patience: nobody is at fault.
func TestBusySeedIsNotStalled(t *testing.T) {
	const pieces, length = 24, 1 << 20
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("seed", true, false, 8*mbit, 8*mbit)
	for i := range 30 {
		net.add(nodeName(i), false, false, 0.5*mbit, 20*mbit)
	}
	net.run(time.Hour)
	f := float64(pieces * length)
	wantNoFaults(t, net, max(f/(8*mbit), 30*f/(8*mbit+30*0.5*mbit)))
}

// The same with an origin, large pieces and many nodes: 8 GiB in pieces of 4 MiB
// to 16 nodes begins like this.
func TestOriginWithLargePiecesIsNotStalled(t *testing.T) {
	const pieces, length = 24, 4 << 20
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("origin", true, true, 20*mbit, 20*mbit)
	for i := range 16 {
		net.add(nodeName(i), false, false, 20*mbit, 20*mbit)
	}
	net.run(time.Hour)
	f := float64(pieces * length)
	wantNoFaults(t, net, f/(20*mbit))
}

// wantNoFaults checks that nobody was named in a network of honest peers.
func wantNoFaults(t *testing.T, net *network, bound float64) {
	t.Helper()
	faults := 0
	for _, n := range net.order {
		faults += len(n.faults)
	}
	t.Logf("took %.0f s, bound %.0f; %d faults", net.elapsed(), bound, faults)
	if faults > 0 {
		t.Errorf("%d honest peers were named", faults)
	}
}
