package leases

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// drain has one node after the other read of the origin and vanish, so that
// all is lost, until there is no lease. It returns the copies read.
func (b *bed) drain(task string) (copies float64, why api.Refusal) {
	b.Helper()
	before := b.read[seed]
	for b.read[seed]-before < 10*size {
		b.node("n", "a", api.Fetcher, nil)
		r := b.ask("n", func(r *api.LeaseRequest) { r.Task = task })
		if r.Lease == nil {
			why = r.Reason
			break
		}
		b.pass(time.Millisecond)
		b.Return(b.now, r.Lease.ID, r.Lease.Bytes)
		b.Forget(b.now, "n")
		if l := b.books[c1].ledgers["a"]; l.fresh.Count() == 0 {
			b.pass(settleTime)
		}
	}
	return float64(b.read[seed]-before) / size, why
}

// TestBudget: B1, whatever gets lost, the origin sends no more than the
// budget's copies and the slack.
func TestBudget(t *testing.T) {
	for name, tt := range map[string]struct {
		limits    api.Limits
		want      float64 // copies, with the slack
		afterHour float64
	}{
		"default":         {api.Limits{}, 1.15, 1.15},
		"two copies":      {api.Limits{EgressCopies: 2}, 2.15, 0},
		"half a copy":     {api.Limits{EgressCopies: 0.5}, 0.65, 0},
		"another carrier": {api.Limits{EgressCopies: 0.5, Carriers: map[string]api.CarrierLimit{"b": {EgressCopies: 3}}}, 0.65, 0},
		"this carrier":    {api.Limits{EgressCopies: 0.5, Carriers: map[string]api.CarrierLimit{"a": {EgressCopies: 3}}}, 3.15, 0},
	} {
		b := newBed(t, seed)
		b.limits = tt.limits
		copies, why := b.drain("t")
		if why != api.Budget || copies < tt.want-0.05 || copies > tt.want+0.05 {
			t.Errorf("%s: %.2f copies, then %s, want %.2f", name, copies, why, tt.want)
		}
		for range 60 { // asked now and then, so that the content isn't forgotten
			b.pass(time.Minute)
			b.node("n", "a", api.Fetcher, nil)
			b.ask("n", reason(api.CrossCarrier), without(seed))
		}
		if copies, _ := b.drain("t"); copies < tt.afterHour-0.05 || copies > tt.afterHour+0.05 {
			t.Errorf("%s: %.2f copies an hour later, want %.2f", name, copies, tt.afterHour)
		}
	}
	// What is leased at the same time counts before it is read.
	b := newBed(t, seed)
	b.limits = api.Limits{EgressCopies: 0.01}
	leased := int64(0)
	for i := range 1000 {
		n := fmt.Sprint("n", i)
		b.node(n, "a", api.Fetcher, nil)
		if r := b.ask(n); r.Lease != nil {
			leased += r.Lease.Bytes
		} else if r.Reason != api.Budget && r.Reason != api.Busy {
			t.Errorf("refused since %s", r.Reason)
		}
	}
	if most := int64(size) * 16 / 100; leased > most || leased < most/2 {
		t.Errorf("%d bytes are leased at once, want up to %d", leased, most)
	}
	// Each task has its own account.
	b = newBed(t, seed)
	b.limits = api.Limits{EgressCopies: 0.5}
	b.drain("t")
	if copies, _ := b.drain("u"); copies < 0.6 {
		t.Errorf("a second task: %.2f copies", copies)
	}
}

// TestRates: B1, what is leased of an origin stays below its rate, over all
// carriers, and what is leased into a carrier below the carrier's.
func TestRates(t *testing.T) {
	b := newBed(t, seed)
	b.limits = api.Limits{EgressRate: 1_000_000, Carriers: map[string]api.CarrierLimit{"a": {EgressRate: 100_000}}}
	sum := map[string]shoal.Rate{}
	ids := map[string][]string{}
	refused := 0
	for i := range 60 {
		carrier := []string{"a", "b", "c"}[i%3]
		id := fmt.Sprint(carrier, i/3)
		b.node(id, carrier, api.Fetcher, nil)
		r := b.ask(id, func(r *api.LeaseRequest) { r.Task = "t" })
		if r.Lease == nil {
			if refused++; r.Reason != api.Busy {
				t.Errorf("%s: refused since %s", id, r.Reason)
			}
			continue
		}
		if r.Lease.Rate <= 0 {
			t.Errorf("%s: a lease without a rate", id)
		}
		sum[carrier] += r.Lease.Rate
		ids[carrier] = append(ids[carrier], r.Lease.ID)
	}
	if total := sum["a"] + sum["b"] + sum["c"]; sum["a"] > 100_000 || total > 1_000_000 || total < 900_000 || refused == 0 {
		t.Errorf("leased %v, %d refused", sum, refused)
	}
	for _, id := range ids["b"] {
		b.Return(b.now, id, 0)
	}
	r := b.ask("b0", func(r *api.LeaseRequest) { r.Task = "t" })
	if r.Lease == nil {
		t.Errorf("what is given back isn't leased again: %s", r.Reason)
	}
}

// TestBooksBalance: whatever happens, accounts, rates and ledgers agree with
// the leases there are, and in the end nothing is left.
func TestBooksBalance(t *testing.T) {
	b := newBed(t, seed, seed+"2")
	rng := rand.New(rand.NewPCG(5, 6))
	nodes := []string{"a0", "a1", "a2", "b0", "b1", "c0"}
	held := map[string]*shoal.PieceSet{}
	for i, n := range nodes {
		held[n] = shoal.NewPieceSet(numPieces)
		b.node(n, n[:1], api.Fetcher, held[n], withGateway(shoal.Rate(i)*1e6))
	}
	var ids []string
	for i := range 8_000 {
		n := nodes[rng.IntN(len(nodes))]
		b.limits = []api.Limits{{}, {EgressRate: 1e6}, {EgressCopies: 0.3, Carriers: map[string]api.CarrierLimit{"a": {EgressRate: 1e6}}}}[rng.IntN(3)]
		switch rng.IntN(10) {
		case 0:
			b.pass(time.Duration(rng.IntN(4000)) * time.Millisecond)
		case 1:
			held[n] = shoal.NewPieceSet(numPieces)
			b.Forget(b.now, shoal.NodeID(n))
		case 2, 3:
			if len(ids) > 0 {
				b.Return(b.now, ids[rng.IntN(len(ids))], rng.Int64N(1<<20))
			}
		default:
			b.node(n, n[:1], api.Fetcher, held[n], withGateway(1e6))
			r := b.ask(n, func(r *api.LeaseRequest) {
				r.Reason = []api.LeaseReason{api.NoPeers, api.SlowPeers, api.CrossCarrier, api.Unreachable}[rng.IntN(4)]
				r.Task = []string{"", "t", "u"}[rng.IntN(3)]
				if len(ids) > 0 && rng.IntN(2) == 0 {
					r.Lease, r.Used, r.Done = ids[rng.IntN(len(ids))], rng.Int64N(1<<20), rng.IntN(2) == 0
				}
			})
			if r.Lease != nil {
				ids = append(ids, r.Lease.ID)
				for p := range pieces(r.Lease.Pieces) {
					if rng.IntN(2) == 0 {
						held[n].Add(p)
					}
				}
			}
		}
		if i%16 == 0 {
			b.balanced()
		}
	}
	b.pass(leaseTTL)
	b.pass(settleTime)
	b.balanced()
	if len(b.endings)+b.Active() != 0 {
		t.Errorf("%d endings and %d leases are left", len(b.endings), b.Active())
	}
}

// balanced compares all that is derived from leases with the leases.
func (b *bed) balanced() {
	b.Helper()
	reserved := map[*account]int64{}
	rates, into := map[*origin]shoal.Rate{}, map[*ledger]shoal.Rate{}
	served := map[shoal.NodeID]int{}
	taken := map[*ledger]*shoal.PieceSet{}
	for _, l := range b.endings {
		if taken[l.ledger] == nil {
			taken[l.ledger] = shoal.NewPieceSet(numPieces)
		}
		if l.exclusive {
			for p := range pieces(l.runs) {
				if !taken[l.ledger].Add(p) {
					b.Fatalf("piece %d is leased twice", p)
				}
			}
		}
		if l.over {
			continue
		}
		if b.leases[l.id] != l {
			b.Fatal("a lease that isn't listed ends")
		}
		if l.account != nil {
			reserved[l.account] += max(l.bytes, l.used)
			rates[l.origin] += l.rate
			into[l.ledger] += l.rate
		}
		if l.upstream.Node != "" {
			served[l.upstream.Node]++
		}
	}
	for _, book := range b.books {
		for _, l := range book.ledgers {
			for p := range numPieces {
				t := taken[l] != nil && taken[l].Has(p)
				if l.taken.Has(p) != t || l.fresh.Has(p) != (!t && !l.held.Has(p)) || l.unsent.Has(p) != (!t && !l.sent.Has(p)) {
					b.Fatalf("piece %d: taken %v, fresh %v, unsent %v; leased %v, held %v, sent %v",
						p, l.taken.Has(p), l.fresh.Has(p), l.unsent.Has(p), t, l.held.Has(p), l.sent.Has(p))
				}
			}
			if l.rate != into[l] {
				b.Fatalf("carrier %s: a rate of %d, leases at %d", l.carrier, l.rate, into[l])
			}
			for task, a := range l.accounts {
				if a.reserved != reserved[a] || a.spent < 0 {
					b.Fatalf("account %q: %+v, leases of %d", task, a, reserved[a])
				}
			}
		}
		for name, o := range book.origins {
			if o.rate != rates[o] {
				b.Fatalf("origin %s: %+v, leases at %d", name, o, rates[o])
			}
		}
	}
	for id, s := range b.servers {
		if s.leases != served[id] || s.pushes < 0 {
			b.Fatalf("server %s: %+v, %d leases", id, s, served[id])
		}
	}
}
