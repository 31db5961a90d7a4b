package leases

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

func (b *bed) offer(id string) (l *api.Lease, fresh bool) {
	b.Helper()
	r := &api.LeaseRequest{Node: shoal.NodeID(id), Session: "s", Content: c1, Reason: api.CrossCarrier}
	l, fresh, err := b.Offer(b.now, r, b.content, b.limits)
	if err != nil {
		b.Fatal(err)
	}
	return l, fresh
}

// B1: what is offered counts against all bounds as what is asked for; an order that is repeated
// repeats its offer, and does not add to it.
func TestOffer(t *testing.T) {
	for name, tt := range map[string]struct {
		before  func(b *bed)
		between func(b *bed, first *api.Lease)
		none    bool // nothing is offered
		again   bool // the same one is, later
		other   bool // another one is
	}{
		"repeated":                 {again: true},
		"and a moment later":       {between: func(b *bed, _ *api.Lease) { b.pass(leaseTTL / 2) }, again: true},
		"not taken, and expired":   {between: func(b *bed, _ *api.Lease) { b.pass(leaseTTL + time.Second) }, other: true},
		"given back":               {between: func(b *bed, l *api.Lease) { b.Return(b.now, l.ID, 0) }, other: true},
		"the node asked meanwhile": {between: func(b *bed, l *api.Lease) { b.Return(b.now, l.ID, 0); b.lease("n") }},
		"the node died":            {between: func(b *bed, _ *api.Lease) { b.Forget(b.now, "n") }, other: true},
		"nobody has it":            {before: func(b *bed) { b.node("o", "b", "", nil) }, none: true},
		"the budget is spent":      {before: func(b *bed) { b.limits = api.Limits{EgressCopies: 1e-9}; b.node("m", "a", "", nil); b.ask("m") }, none: true},
	} {
		b := newBed(t)
		b.node("o", "b", api.Origin, nil, withGateway(4e6))
		b.node("n", "a", "", nil)
		if tt.before != nil {
			tt.before(b)
		}
		l, fresh := b.offer("n")
		if (l == nil) != tt.none || fresh == tt.none {
			t.Errorf("%s: offered %+v, fresh %v", name, l, fresh)
		}
		if l == nil {
			continue
		}
		if tt.between != nil {
			tt.between(b, l)
		}
		active := b.Active()
		again, fresh := b.offer("n")
		same := again != nil && again.ID == l.ID
		if same != tt.again || (again != nil && !same) != tt.other || fresh != tt.other || same && b.Active() != active {
			t.Errorf("%s: then offered %+v; %d leases, %d before", name, again, b.Active(), active)
		}
	}
}

// A lease says where in which file it begins, as far as the file goes; of many files, nothing.
func TestHead(t *testing.T) {
	c := &Content{pieces: 30, pieceLength: 100, files: []shoal.File{
		{Path: "a", Length: 1000, FirstPiece: 0}, {Path: "empty", Length: 0, FirstPiece: 10}, {Path: "b", Length: 1950, FirstPiece: 10},
	}}
	for _, tt := range []struct {
		run  api.Run
		want api.Extent
	}{
		{api.Run{First: 0, Count: 3}, api.Extent{Path: "a", From: 0, Bytes: 300, Piece: 100}},
		{api.Run{First: 8, Count: 9}, api.Extent{Path: "a", From: 800, Bytes: 200, Piece: 100}},
		{api.Run{First: 10, Count: 1}, api.Extent{Path: "b", From: 0, Bytes: 100, Piece: 100}},
		{api.Run{First: 28, Count: 2}, api.Extent{Path: "b", From: 1800, Bytes: 150, Piece: 100}},
	} {
		if got := c.head(tt.run); got == nil || *got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.run, got, tt.want)
		}
	}
	if got := (&Content{pieces: 30, pieceLength: 100}).head(api.Run{Count: 3}); got != nil {
		t.Errorf("files not known: %+v", got)
	}
}
