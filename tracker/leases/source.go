package leases

import (
	"cmp"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

const (
	// maxTries is how many gateways' piece sets are searched for one wish.
	maxTries = 4
	// originLeases is how many leases of a content an origin is given to at a
	// time: enough to fill any uplink, and not a connection for every node.
	originLeases = 128
	// rateShares is the least part of a bounded rate that a lease gets.
	rateShares = 16
)

// fromGateways leases from the first gateway that has what is wished for, of
// those of which ok holds.
func (p *Planner) fromGateways(a *ask, w wish, ok func(registry.Server) bool) *lease {
	tries := 0
	for _, s := range a.servers {
		if !ok(s) || s.Role == api.Origin { // an origin's gateway is charged for: fromOrigins
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		want := a.count(w, s.Info.Up)
		set := p.cfg.Nodes.Held(s.Info.ID, a.r.Content)
		if set == nil {
			continue
		}
		runs, next := pick(a.book.content.pieces, *w.from, want, func(i int) bool { return set.Has(i) && w.ok(i) })
		if len(runs) > 0 {
			*w.from = next
			return &lease{upstream: gateway(s), runs: runs, exclusive: w.exclusive, reserved: nominal(s.Info)}
		}
	}
	return nil
}

// fromOrigins leases from the web seed least used, else from an origin node's
// gateway, within the account and the rates. The refusal is empty where there
// is no such origin or nothing to read from it.
func (p *Planner) fromOrigins(a *ask, w wish) (l *lease, why api.Refusal) {
	c := a.book.content
	account := a.ledger.account(a.task)
	room := account.room(a.now, c, a.bounds)
	for _, l := range a.origins() {
		o := a.book.origin(l.upstream.Name)
		rate, ok := a.rate(o)
		if !ok || o.leases >= originLeases {
			why = api.Busy
			continue
		}
		affordable := room / c.pieceLength
		if affordable <= 0 {
			return nil, api.Budget
		}
		runs, next := pick(c.pieces, *w.from, min(a.count(w, rate), int(affordable)), w.ok)
		if len(runs) == 0 {
			return nil, why
		}
		*w.from = next
		l.runs, l.exclusive, l.rate, l.account, l.origin = runs, w.exclusive, rate, account, o
		return l, ""
	}
	return nil, why
}

// origins lists those that the node has not excluded, the best first.
func (a *ask) origins() []*lease {
	var list []*lease
	for _, url := range a.book.seeds {
		if !a.excluded(url) {
			list = append(list, &lease{upstream: api.Upstream{Name: url, Kind: api.WebSeed, URLs: []string{url}}})
		}
	}
	slices.SortStableFunc(list, func(x, y *lease) int {
		return cmp.Compare(a.book.origin(x.upstream.Name).leases, a.book.origin(y.upstream.Name).leases)
	})
	for _, s := range a.servers {
		if s.Role == api.Origin {
			list = append(list, &lease{upstream: gateway(s), reserved: nominal(s.Info)})
		}
	}
	return list
}

// rate is the bytes/s that a new lease of an origin may read at, 0 for no
// bound; ok is false where all that is allowed is leased.
func (a *ask) rate(o *origin) (rate shoal.Rate, ok bool) {
	sharers := shoal.Rate(min(a.sharers(), rateShares))
	for _, b := range []struct{ most, leased shoal.Rate }{{a.bounds.originRate, o.rate}, {a.bounds.carrierRate, a.ledger.rate}} {
		if b.most <= 0 {
			continue
		}
		part := max(b.most/sharers, 1)
		free := b.most - b.leased
		if free < max(part/2, 1) {
			return 0, false
		}
		if part = min(part, free); rate == 0 || part < rate {
			rate = part
		}
	}
	return rate, true
}

// sharers is how many nodes want a part of what comes into the carrier.
func (a *ask) sharers() int { return max(len(a.ledger.askers), a.ledger.fetchers, 1) }

// count is how many pieces the node's next lease should have, where the
// upstream gives a rate at most, 0 for no bound.
func (a *ask) count(w wish, rate shoal.Rate) int {
	c := a.book.content
	bytes := a.asker.size(a.info.Down, rate, a.sharers())
	if a.r.Need > 0 {
		bytes = min(bytes, a.r.Need)
	}
	average := max(c.size/int64(max(c.pieces, 1)), 1)
	part := int64(w.left)
	if w.sharers > 1 || a.asker.rate == 0 {
		part = max(part/int64(share*w.sharers), int64(a.asker.rate*brief.Seconds())/average)
	}
	return int(max(min(bytes/average, part), 1))
}

// connections is how many a lease's node should open at most: many where few
// read from an upstream, one where many do.
func (p *Planner) connections(l *lease) int {
	n := 1
	switch {
	case l.upstream.Node != "":
		n = p.server(l.upstream.Node).leases
	case l.origin != nil:
		n = l.origin.leases
	}
	return min(max(connectionsShared/max(n, 1), 1), connectionsAlone)
}

const (
	connectionsShared = 64 // at an upstream
	connectionsAlone  = 8  // of one node
)
