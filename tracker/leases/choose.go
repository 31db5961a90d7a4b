package leases

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// maxServers is how many gateways are looked at for one request.
const maxServers = 16

// ask is a request with all that is needed to answer it.
type ask struct {
	now    time.Time
	r      *api.LeaseRequest
	info   api.NodeInfo
	book   *book
	ledger *ledger
	asker  *asker
	task   string // whose account is charged
	bounds bounds

	wanted  *shoal.PieceSet   // what somebody waits for; nil: nothing, or this is not asked now
	first   int               // of those, what is waited for the most
	own     *shoal.PieceSet   // what the node has, once asked for
	servers []registry.Server // gateways with capacity to spare, the best first
	full    bool              // some had none
}

// choose makes a lease by the order in the package's documentation. It is nil
// where there is none for now, and why says what came nearest to one.
func (p *Planner) choose(a *ask) (l *lease, why api.Refusal) {
	p.findServers(a)
	if a.want(); a.wanted != nil {
		if l, _ := p.walk(a); l != nil {
			return l, ""
		}
		a.wanted = nil
	}
	if l, why = p.walk(a); l != nil {
		return l, ""
	}
	switch {
	case why != "":
	case a.full:
		why = api.Busy
	case a.ledger.fresh.Count() > 0:
		why = api.NoUpstream
	case a.ledger.taken.Count() > 0:
		why = api.AllLeased
	default:
		why = api.InCarrier
	}
	return nil, why
}

// walk goes through the steps up to the first that comes to a lease. While pieces are
// wanted it is about these only. Why is what the first origin to refuse says.
func (p *Planner) walk(a *ask) (l *lease, why api.Refusal) {
	for s := range p.steps(a) {
		if a.wanted != nil {
			s.wish = s.wish.within(a.wanted, a.first)
		}
		if s.gateways != nil {
			if l := p.fromGateways(a, s.wish, s.gateways); l != nil {
				return l, ""
			}
		}
		if !s.origins {
			continue
		}
		l, r := p.fromOrigins(a, s.wish)
		if l != nil {
			return l, ""
		}
		why = cmp.Or(why, r)
	}
	return nil, why
}

// step is one attempt at a lease.
type step struct {
	wish
	gateways func(registry.Server) bool // that may serve it; nil: none
	origins  bool                       // may serve it
}

// wish says which pieces are wanted of an upstream.
type wish struct {
	from      *int // where the search goes on
	left      int  // how many there are
	sharers   int  // nodes that want a part of them
	exclusive bool
	ok        func(int) bool
}

// steps yields what to try, one after the other.
func (p *Planner) steps(a *ask) iter.Seq[step] {
	l := a.ledger
	within := func(s registry.Server) bool { return s.Info.Carrier == l.carrier }
	across := func(s registry.Server) bool { return !within(s) }
	return func(yield func(step) bool) {
		if n := l.fresh.Count(); n > 0 &&
			!yield(step{wish{&l.next, n, a.sharers(), true, l.fresh.Has}, across, true}) {
			return
		}
		if a.unhelped() {
			w := p.lacking(a)
			if !yield(step{wish: w, gateways: within}) {
				return
			}
			unsent := func(i int) bool { return l.unsent.Has(i) && w.ok(i) }
			if n := l.unsent.Count(); n > 0 && !yield(step{wish: wish{&l.again, n, a.sharers(), true, unsent}, origins: true}) {
				return
			}
		}
		if a.asker.cutOff(a.now, a.r.Reason) {
			yield(step{p.lacking(a), func(registry.Server) bool { return true }, true})
		}
	}
}

// lacking wishes for any piece that the node neither has nor is leased, from
// somewhere on, so that nodes get different ones.
func (p *Planner) lacking(a *ask) wish {
	n := a.book.content.pieces
	if a.own == nil {
		a.own = p.cfg.Nodes.Held(a.r.Node, a.r.Content)
		if a.own == nil || a.own.Len() != n {
			a.own = shoal.NewPieceSet(n)
		}
		for l := range p.byNode[a.r.Node] {
			if l.book != a.book {
				continue
			}
			for piece := range pieces(l.runs) {
				a.own.Add(piece)
			}
		}
	}
	from := p.cfg.Rand.IntN(max(n, 1))
	return wish{from: &from, left: n - a.own.Count(), sharers: 1, ok: func(i int) bool { return !a.own.Has(i) }}
}

// excluded reports whether the asking node won't use an upstream for now.
func (a *ask) excluded(name string) bool {
	return slices.ContainsFunc(a.r.Excluded, func(b api.Benched) bool { return b.Upstream == name })
}

// refused is a refusal with a time to ask again: the more ask, the later, and
// never all at once.
func (p *Planner) refused(a *ask, why api.Refusal) api.LeaseReply {
	after := max(1, float64(len(a.ledger.askers))/asksPerSecond)
	switch why {
	case api.NoProgress:
		after = 0
	case api.NoUpstream, api.Budget:
		after = max(5, after)
	case api.Starting:
		after = max(after, p.cfg.Open.Sub(a.now).Seconds())
	}
	after = min(after, maxRetry) * (1 + p.cfg.Rand.Float64()/2)
	return api.LeaseReply{RetryAfter: after, Reason: why}
}

const (
	asksPerSecond = 200 // that a content's refused nodes should make in a carrier
	maxRetry      = 20  // seconds
)
