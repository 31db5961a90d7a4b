package exchange

import (
	"testing"
	"time"
)

const mbit = 1e6 / 8

// The swarm rules against the fluid bound max(F/u_s, F/d_min, N·F/(u_s+Σu_i))
// (B2): an origin and 16 equal nodes.
func TestEqualUplinksNearBound(t *testing.T) {
	const nodes, pieces, length = 16, 512, 32 << 10
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	origin := net.add("origin", true, true, 20*mbit, 20*mbit)
	for i := range nodes {
		net.add(nodeName(i), false, false, 20*mbit, 20*mbit)
	}
	net.run(time.Minute)
	bound := float64(pieces*length) / (20 * mbit)
	ratio, copies := net.elapsed()/bound, float64(origin.state.Sent())/float64(pieces*length)
	var wasted int64
	for _, n := range net.order {
		wasted += n.state.Bytes().Wasted
	}
	t.Logf("%.3f of the bound, %.3f origin copies, wasted %d", ratio, copies, wasted)
	if ratio > 1.15 {
		t.Errorf("took %.3f of the bound", ratio)
	}
	if copies > 1.10 {
		t.Errorf("origin sent %.3f copies", copies)
	}
}

func TestUnequalUplinks(t *testing.T) {
	const pieces, length = 512, 32 << 10
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("origin", true, true, 20*mbit, 32*mbit)
	for i := range 12 {
		net.add(nodeName(i), false, false, []float64{4, 16, 32}[i%3]*mbit, 32*mbit)
	}
	net.run(time.Minute)
	f := float64(pieces * length)
	bound := max(f/(20*mbit), 12*f/((20+4*52)*mbit))
	t.Logf("%.3f of the bound", net.elapsed()/bound)
	if r := net.elapsed() / bound; r > 1.3 {
		t.Errorf("took %.3f of the bound", r)
	}
}

// One node alone: the window must open until the path is full.
func TestLongFatPathIsFilled(t *testing.T) {
	const pieces, length = 1024, 32 << 10
	net := newNetwork(t, pieces, length, 50*time.Millisecond, 7)
	net.add("origin", true, true, 100*mbit, 100*mbit)
	net.add("n", false, false, 100*mbit, 100*mbit)
	net.run(time.Minute)
	bound := float64(pieces*length) / (100 * mbit)
	t.Logf("%.3f of the bound", net.elapsed()/bound)
	if r := net.elapsed() / bound; r > 1.8 {
		t.Errorf("took %.3f of the bound", r)
	}
}

func TestBadPeersAreNamed(t *testing.T) {
	const pieces, length = 256, 32 << 10
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("origin", true, true, 20*mbit, 20*mbit)
	net.add("corrupt", true, false, 20*mbit, 20*mbit).corrupt = true
	net.add("mute", true, false, 20*mbit, 20*mbit).mute = true
	for i := range 4 {
		net.add(nodeName(i), false, false, 2*mbit, 20*mbit)
	}
	net.run(2 * time.Minute)
	for _, n := range net.order[3:] {
		if f, ok := n.faults["corrupt"]; !ok || f != Corrupt {
			t.Errorf("%s: corrupt peer not named: %v", n.id, n.faults)
		}
		if f, ok := n.faults["mute"]; !ok || f != Stalled {
			t.Errorf("%s: mute peer not named: %v", n.id, n.faults)
		}
		if len(n.faults) != 2 {
			t.Errorf("%s: faults %v", n.id, n.faults)
		}
	}
}

func TestPeersThatLeave(t *testing.T) {
	const pieces, length = 256, 32 << 10
	net := newNetwork(t, pieces, length, time.Millisecond, 7)
	net.add("origin", true, true, 20*mbit, 20*mbit)
	for i := range 6 {
		net.add(nodeName(i), false, false, 20*mbit, 20*mbit)
	}
	net.after(time.Second, func() { net.leave(net.order[1]) })
	net.after(1500*time.Millisecond, func() { net.leave(net.order[2]) })
	net.after(2*time.Second, func() { net.add("late", false, false, 20*mbit, 20*mbit) })
	net.run(time.Minute)
}
