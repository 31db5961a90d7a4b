package leases

import (
	"fmt"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// TestChoice: which upstream a node in carrier a, region r is sent to.
func TestChoice(t *testing.T) {
	region := func(r string) func(*api.NodeInfo) { return func(n *api.NodeInfo) { n.Region = r } }
	someone := func(b *bed) { b.node("m", "a", api.Holder, nil) } // has it all, and no gateway
	for name, tt := range map[string]struct {
		nodes  func(*bed)
		reason api.LeaseReason
		no     []string // excluded
		want   string   // upstream, or reason of the refusal
	}{
		"nobody has it":        {want: seed},
		"the web seed failed":  {no: []string{seed}, want: "no_upstream"},
		"makes up for a swarm": {nodes: someone, reason: api.SlowPeers, want: seed},
		"the carrier has it":   {nodes: someone, reason: api.CrossCarrier, want: "in_carrier"},
		"a gateway nearby": {
			nodes: func(b *bed) { b.node("g", "a", api.Holder, nil, withGateway(1e6)) }, want: "g",
		},
		"the nearest, however small": {
			nodes: func(b *bed) {
				b.node("far", "a", api.Holder, nil, withGateway(1e9), region("x"))
				b.node("near", "a", api.Holder, nil, withGateway(1e5), region("r"))
			}, want: "near",
		},
		"the nearest failed": {
			nodes: func(b *bed) {
				b.node("far", "a", api.Holder, nil, withGateway(1e9), region("x"))
				b.node("near", "a", api.Holder, nil, withGateway(1e5), region("r"))
			}, no: []string{"near"}, want: "far",
		},
		"the one with more to spare": {
			nodes: func(b *bed) {
				b.node("big", "a", api.Holder, nil, withGateway(2e6), region("r"))
				b.node("small", "a", api.Holder, nil, withGateway(1e6), region("r"))
			}, want: "big",
		},
		"across before the origin": {
			nodes:  func(b *bed) { b.node("g", "b", api.Holder, nil, withGateway(1e6)) },
			reason: api.CrossCarrier, want: "g",
		},
		"the origin node's gateway": {
			nodes: func(b *bed) { b.node("o", "b", api.Origin, nil, withGateway(1e6)) },
			no:    []string{seed}, want: "o",
		},
		"a fetcher that has nothing": {
			nodes: func(b *bed) { b.node("g", "b", api.Fetcher, nil, withGateway(1e6)) },
			no:    []string{seed}, want: "no_upstream",
		},
		"a dead gateway": {
			nodes: func(b *bed) {
				b.node("g", "b", api.Holder, nil, withGateway(1e6))
				b.now = b.now.Add(time.Minute)
				b.nodes.Sweep(b.now)
			}, no: []string{seed}, want: "no_upstream",
		},
	} {
		b := newBed(t, seed)
		if tt.nodes != nil {
			tt.nodes(b)
		}
		b.node("n", "a", api.Fetcher, nil, region("r"))
		r := b.ask("n", without(tt.no...), func(r *api.LeaseRequest) {
			if tt.reason != "" {
				r.Reason = tt.reason
			}
		})
		got := string(r.Reason)
		if r.Lease != nil {
			got = r.Lease.Upstream.Name
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// TestGatewayCapacity: a gateway is assigned as much as its uplink takes, over
// all contents and carriers, and what is given back can be assigned again.
func TestGatewayCapacity(t *testing.T) {
	b := newBed(t)
	some := shoal.NewPieceSet(numPieces)
	for p := 100; p < 300; p++ {
		some.Add(p)
	}
	b.node("g", "a", api.Fetcher, some, withGateway(4e6))
	var last *api.Lease
	for i := range servedAtOnce {
		n := fmt.Sprint("n", i)
		b.node(n, []string{"a", "b"}[i%2], api.Fetcher, nil, thin)
		last = b.lease(n, reason(api.Stalled))
		u := last.Upstream
		if u.Node != "g" || u.Kind != api.NodeGateway || len(u.URLs) != 1 {
			t.Errorf("upstream %+v", u)
		}
		for p := range pieces(last.Pieces) {
			if !some.Has(p) {
				t.Fatalf("piece %d of a gateway that doesn't have it", p)
			}
		}
	}
	b.node("m", "c", api.Fetcher, nil)
	if r := b.ask("m"); r.Reason != api.Busy {
		t.Errorf("one more than its uplink takes: %+v", r)
	}
	b.Return(b.now, last.ID, 0)
	b.lease("m")
}

// TestNothingTwice: leases of one node have nothing in common.
func TestNothingTwice(t *testing.T) {
	b := newBed(t, seed)
	b.node("g", "a", api.Fetcher, setOf([]api.Run{{First: 40, Count: 16}}), withGateway(1e9))
	b.node("n", "a", api.Fetcher, nil, thin)
	b.ask("n", reason(api.CrossCarrier), without(seed))
	b.books[c1].ledgers["a"].take([]api.Run{{First: 0, Count: 40}, {First: 56, Count: numPieces - 56}}) // on their way to others
	x, y := b.lease("n", reason(api.Stalled)), b.lease("n", reason(api.Stalled))
	if n := setOf(x.Pieces, y.Pieces).Count(); n != 16 {
		t.Errorf("%v and %v overlap", x.Pieces, y.Pieces)
	}
}

// TestCutOff: a node that nobody reaches gets what its carrier has from the
// origin, but not before it has been refused for a while.
func TestCutOff(t *testing.T) {
	for why, want := range map[api.LeaseReason]bool{api.NoPeers: true, api.Unreachable: true, api.SlowPeers: false, api.CrossCarrier: false} {
		b := newBed(t, seed)
		b.node("h", "a", api.Holder, nil)
		b.node("n", "a", api.Fetcher, nil)
		led := func() *ledger { return b.books[c1].ledgers["a"] }
		b.ask("n", reason(api.CrossCarrier))
		led().arrived([]api.Run{{First: 0, Count: numPieces}}) // all came in by leases
		begun := b.now
		var r api.LeaseReply
		for r = b.ask("n", reason(why)); r.Lease == nil && b.now.Sub(begun) < time.Minute; r = b.ask("n", reason(why)) {
			b.pass(time.Duration(r.RetryAfter * float64(time.Second)))
			b.node("h", "a", api.Holder, nil)
			b.node("n", "a", api.Fetcher, nil)
		}
		if waited := b.now.Sub(begun); (r.Lease != nil) != want || want && waited < patience {
			t.Errorf("%s: %+v after %v", why, r, waited)
		}
	}
	// Asking now and then is no being refused all the time.
	b := newBed(t, seed)
	b.node("h", "a", api.Holder, nil)
	b.node("n", "a", api.Fetcher, nil)
	b.ask("n", reason(api.CrossCarrier))
	b.books[c1].ledgers["a"].arrived([]api.Run{{First: 0, Count: numPieces}})
	for range 3 {
		if r := b.ask("n"); r.Reason != api.InCarrier {
			t.Errorf("%+v", r)
		}
		b.pass(patience + 3*time.Second)
	}
}

// TestPush: M8, a holder with capacity is told to dial a node that cannot
// dial, the nearest first, another one after a while, and one at a time.
func TestPush(t *testing.T) {
	b := newBed(t)
	b.node("far", "b", api.Holder, nil)
	b.node("near", "a", api.Holder, nil)
	b.node("none", "a", api.Fetcher, nil)
	b.node("n", "a", api.Fetcher, nil)
	ask := func(why api.LeaseReason) shoal.NodeID { return b.ask("n", reason(why)).Push }
	if got := ask(api.NoPeers); got != "" {
		t.Errorf("a node that can dial: %s is told to", got)
	}
	if got := ask(api.Unreachable); got != "near" {
		t.Errorf("%q is told to dial, want the nearest", got)
	}
	if got := ask(api.Unreachable); got != "" {
		t.Errorf("%s is told at once after", got)
	}
	b.pass(pushAgain)
	if got := ask(api.Unreachable); got != "far" {
		t.Errorf("%q is told to dial next, want another one", got)
	}
	// Its capacity: pushes count until they are old.
	for i := range 2 * servedAtOnce {
		n := fmt.Sprint("n", i)
		b.node(n, "a", api.Fetcher, nil)
		b.ask(n, reason(api.Unreachable))
	}
	if near, far := b.servers["near"].pushes, b.servers["far"].pushes; near != servedAtOnce || far != servedAtOnce {
		t.Errorf("%d and %d pushes, want %d each", near, far, servedAtOnce)
	}
	b.pass(pushTTL + sweepEvery)
	if len(b.servers) != 0 || len(b.pushes) != 0 {
		t.Errorf("servers %v, pushes %v", b.servers, b.pushes)
	}
}
