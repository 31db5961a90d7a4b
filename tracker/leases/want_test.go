package leases

import (
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal/tracker/api"
)

func wanting(runs ...api.Run) func(*api.LeaseRequest) {
	return func(r *api.LeaseRequest) { r.Want = runs }
}

// TestWant: what somebody waits for is leased before anything else, by the same
// rules and within the same bounds.
func TestWant(t *testing.T) {
	end := api.Run{First: numPieces - 4, Count: 4}
	some := setOf([]api.Run{{First: 100, Count: 100}})
	swarm := func(b *bed) { // all has come in by leases, and nodes spread it
		b.node("h", "a", api.Holder, nil)
		b.node("other", "a", api.Fetcher, nil)
		b.node("g", "a", api.Fetcher, some, withGateway(4e6))
		b.ask("other", reason(api.CrossCarrier))
		b.books[c1].ledgers["a"].arrived([]api.Run{{First: 0, Count: numPieces}})
	}
	for name, tt := range map[string]struct {
		before func(*bed)
		reason api.LeaseReason
		want   []api.Run
		lease  []api.Run   // nil: refused
		why    api.Refusal // then
	}{
		"near the end":               {want: []api.Run{end}, lease: []api.Run{end}},
		"two readers":                {want: []api.Run{{First: 900, Count: 2}, {First: 30, Count: 1}}, lease: []api.Run{{First: 30, Count: 1}, {First: 900, Count: 2}}},
		"more than the content has":  {want: []api.Run{{First: numPieces - 2, Count: 9}}, lease: []api.Run{{First: numPieces - 2, Count: 2}}},
		"nothing of the content":     {want: []api.Run{{First: numPieces, Count: 1}}, lease: []api.Run{{First: 0, Count: 8}}},
		"on its way to another node": {before: func(b *bed) { b.node("m", "a", api.Fetcher, nil, thin); b.lease("m", wanting(end)) }, want: []api.Run{end}, lease: []api.Run{{First: 0, Count: 8}}},
		"all but a part of it":       {before: func(b *bed) { b.node("m", "a", api.Fetcher, nil, thin); b.lease("m", wanting(end)) }, want: []api.Run{{First: numPieces - 6, Count: 6}}, lease: []api.Run{{First: numPieces - 6, Count: 2}}},
		"a neighbour's gateway":      {before: swarm, reason: api.Lacking, want: []api.Run{{First: 150, Count: 3}}, lease: []api.Run{{First: 150, Count: 3}}},
		"nobody waits":               {before: swarm, reason: api.Lacking, why: api.InCarrier},
		"no gateway has it":          {before: swarm, reason: api.Lacking, want: []api.Run{end}, why: api.InCarrier},
		"the budget is spent": {before: func(b *bed) {
			b.limits = api.Limits{EgressCopies: 1e-9}
			b.node("m", "a", api.Fetcher, nil)
			for b.ask("m").Lease != nil {
			}
		}, want: []api.Run{end}, why: api.Budget},
	} {
		b := newBed(t, seed)
		if tt.before != nil {
			tt.before(b)
		}
		b.node("n", "a", api.Fetcher, nil, thin)
		r := b.ask("n", wanting(tt.want...), func(r *api.LeaseRequest) {
			if tt.reason != "" {
				r.Reason = tt.reason
			}
		})
		var got []api.Run
		if r.Lease != nil {
			got = r.Lease.Pieces
		}
		if !slices.Equal(got, tt.lease) || r.Reason != tt.why {
			t.Errorf("%s: %v %q, want %v %q", name, got, r.Reason, tt.lease, tt.why)
		}
	}
}

// TestSearchGoesOn: a lease of what a reader waits for does not move the place where
// the others are taken from.
func TestSearchGoesOn(t *testing.T) {
	b := newBed(t, seed)
	b.node("n", "a", api.Fetcher, nil, thin)
	b.lease("n", wanting(api.Run{First: 1000, Count: 8}))
	if l := b.lease("n"); l.Pieces[0].First != 0 {
		t.Errorf("the next lease is %v", l.Pieces)
	}
}

// TestGathering: nodes that begin together find each other before one of them
// reads from another's gateway; one alone does not wait.
func TestGathering(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "one of many": 3} {
		b := newBed(t)
		b.node("g", "a", api.Holder, nil, withGateway(4e6))
		b.node("n", "a", api.Fetcher, nil)
		for i := range others {
			b.node(string(rune('p'+i)), "a", api.Fetcher, nil)
		}
		if r := b.ask("n"); (r.Lease == nil) != (others > 0) {
			t.Errorf("%s, at once: %+v", name, r)
		}
		b.pass(gathering)
		b.node("n", "a", api.Fetcher, nil)
		if r := b.ask("n"); r.Lease == nil {
			t.Errorf("%s, after %v: %+v", name, gathering, r)
		}
		if r := b.ask("n", reason(api.Stalled)); r.Lease == nil {
			t.Errorf("%s, peers that send nothing: %+v", name, r)
		}
	}
}
