package leases

import (
	"errors"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// thin makes a node's leases short.
func thin(n *api.NodeInfo) { n.Down = shoal.Rate(firstBytes / leaseTime.Seconds()) }

// TestEndings: what a lease leaves unread is leased again, by whatever way it ends.
func TestEndings(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(*bed, *api.Lease)
		after time.Duration // until the pieces can be leased again
	}{
		"given back unread":                    {func(b *bed, l *api.Lease) { b.Return(b.now, l.ID, 0) }, 0},
		"given back, read and never announced": {func(b *bed, l *api.Lease) { b.Return(b.now, l.ID, l.Bytes) }, settleTime},
		"silence":                              {func(*bed, *api.Lease) {}, leaseTTL},
		"its node dies":                        {func(b *bed, l *api.Lease) { b.Forget(b.now, "n") }, 0},
		"done and used":                        {func(b *bed, l *api.Lease) { b.Return(b.now, b.lease("n", done(l)).ID, 0) }, settleTime},
		"renewed, then dead":                   {func(b *bed, l *api.Lease) { b.pass(leaseTTL / 2); b.lease("n", renew(l, 10_000)) }, leaseTTL},
	} {
		b := newBed(t, seed)
		b.node("n", "a", api.Fetcher, nil, thin)
		l := b.lease("n")
		tt.end(b, l)
		free := func() bool { return b.books[c1].ledgers["a"].fresh.Has(l.Pieces[0].First) }
		if tt.after > 0 {
			b.pass(tt.after - time.Millisecond)
			if free() {
				t.Errorf("%s: free before %v have passed", name, tt.after)
			}
			b.pass(time.Millisecond)
		}
		if !free() {
			t.Errorf("%s: not free after %v", name, tt.after)
		}
		b.node("m", "a", api.Fetcher, nil)
		if next := b.lease("m"); next.Pieces[0].First != l.Pieces[0].First {
			t.Errorf("%s: %v is leased next, want what was given back, %v", name, next.Pieces, l.Pieces)
		}
	}
}

// TestAnnouncedPieces: what has arrived and been announced is leased no more,
// and counts as read even if its node said no word.
func TestAnnouncedPieces(t *testing.T) {
	b := newBed(t, seed)
	b.node("n", "a", api.Fetcher, nil)
	l := b.lease("n")
	b.pass(time.Second)
	b.node("n", "a", api.Fetcher, setOf(l.Pieces))
	b.pass(leaseTTL)
	led := b.books[c1].ledgers["a"]
	if acc := led.account(""); b.read[seed] != l.Bytes || acc.reserved != 0 || acc.spent != float64(l.Bytes) {
		t.Errorf("%d bytes counted as read, account %+v, want %d", b.read[seed], acc, l.Bytes)
	}
	if led.fresh.Has(l.Pieces[0].First) || !led.sent.Has(l.Pieces[0].First) {
		t.Error("what was announced is to be leased again")
	}
	// So does what the node said of a lease whose pieces nobody has.
	before := b.read[seed]
	l = b.lease("n")
	b.lease("n", renew(l, 1000))
	b.pass(leaseTTL)
	if n := b.read[seed] - before; n != 1000 {
		t.Errorf("%d bytes counted as read, want what it said, 1000", n)
	}
}

// TestRenewal: a lease goes on while its upstream sends, be it parts of pieces.
func TestRenewal(t *testing.T) {
	b := newBed(t, seed)
	b.node("n", "a", api.Fetcher, nil, thin)
	l := b.lease("n")
	used := int64(0)
	for _, more := range []int64{pieceLength / 3, pieceLength/2 + 1, l.Bytes / 2, l.Bytes} { // the last after what broke was begun anew
		b.pass(leaseTTL - time.Second)
		used += more
		if again := b.lease("n", renew(l, used)); again.ID != l.ID || again.Expires != leaseTTL.Seconds() || again.Pieces[0] != l.Pieces[0] {
			t.Fatalf("renewed after %d bytes: %+v", used, again)
		}
	}
	if again := b.lease("n", renew(l, used)); again.ID != l.ID { // the answer got lost
		t.Fatalf("the same again: %+v", again)
	}
	b.pass(leaseTTL / 2)
	if r := b.ask("n", renew(l, used)); r.Reason != api.NoProgress || b.Active() != 0 {
		t.Errorf("without progress: %+v, %d leases", r, b.Active())
	}
	if r := b.ask("n", renew(l, used+pieceLength)); r.Reason != api.NoProgress {
		t.Errorf("a lease that is over: %+v", r)
	}
	// So slow that it would never end.
	l = b.lease("n")
	b.pass(leaseTTL - time.Second)
	if r := b.ask("n", renew(l, l.Bytes/100)); r.Reason != api.NoProgress {
		t.Errorf("at a hundredth in 9 s: %+v", r)
	}
	b.node("m", "a", api.Fetcher, nil)
	l = b.lease("n")
	if r := b.ask("m", renew(l, pieceLength)); r.Reason != api.NoProgress || b.Active() != 1 {
		t.Errorf("another node's lease: %+v", r)
	}
}

// TestCharged: B1, an account pays what the origin sent, however little of it
// came to whole pieces, and before the lease ends what is beyond its size.
func TestCharged(t *testing.T) {
	for name, tt := range map[string]struct {
		used func(size int64) int64
		want func(size int64) int64
	}{
		"nothing":         {func(int64) int64 { return 0 }, func(int64) int64 { return 0 }},
		"part of a piece": {func(int64) int64 { return 1000 }, func(int64) int64 { return 1000 }},
		"all":             {func(n int64) int64 { return n }, func(n int64) int64 { return n }},
		"some twice":      {func(n int64) int64 { return n + n/2 }, func(n int64) int64 { return n + n/2 }},
		"beyond reason":   {func(n int64) int64 { return 1 << 62 }, func(n int64) int64 { return 2 * n }},
	} {
		for how, end := range map[string]func(*bed, *api.Lease, int64){
			"given back": func(b *bed, l *api.Lease, used int64) { b.Return(b.now, l.ID, used) },
			"done": func(b *bed, l *api.Lease, used int64) {
				b.ask("n", done(l), without(seed), func(r *api.LeaseRequest) { r.Used = used })
			},
			"expired": func(b *bed, l *api.Lease, used int64) { b.ask("n", renew(l, used)); b.pass(leaseTTL) },
		} {
			b := newBed(t, seed)
			b.node("n", "a", api.Fetcher, nil)
			l := b.lease("n")
			b.pass(time.Second)
			used, want := tt.used(l.Bytes), tt.want(l.Bytes)
			acc := b.books[c1].ledgers["a"].account("")
			b.ask("n", renew(l, used))
			if acc.reserved != max(l.Bytes, want) {
				t.Errorf("%s: %d of %d bytes are reserved, want %d", name, acc.reserved, l.Bytes, max(l.Bytes, want))
			}
			end(b, l, used)
			if acc.reserved != 0 || b.read[seed] != want || acc.spent > float64(want) || acc.spent < float64(want)-refill(leaseTTL+time.Second) {
				t.Errorf("%s, %s: %d bytes read, account %+v, want %d", name, how, b.read[seed], acc, want)
			}
		}
	}
}

// refill is by how much a default account grows in a time, in bytes.
func refill(d time.Duration) float64 { return size * d.Seconds() / refillEvery.Seconds() }

// TestSizes: leases grow with the rate that a node shows.
func TestSizes(t *testing.T) {
	b := newBed(t, seed)
	b.node("fast", "a", api.Fetcher, nil)
	b.node("slow", "a", api.Fetcher, nil, func(n *api.NodeInfo) { n.Down = 40_000 })
	if l := b.lease("slow"); l.Bytes != 4*pieceLength {
		t.Errorf("4 s at 40 kB/s: %d bytes", l.Bytes)
	}
	const first = together / 2 // two have asked
	l := b.lease("fast")
	if l.Bytes != first {
		t.Errorf("the first: %d bytes", l.Bytes)
	}
	b.pass(100 * time.Millisecond)
	if l = b.lease("fast", done(l)); l.Bytes <= growth/2*first || l.Bytes > growth*first {
		t.Errorf("at %d bytes/s: %d bytes", 10*first, l.Bytes)
	}
	little := func(r *api.LeaseRequest) { r.Need = 1 }
	if l := b.lease("slow", little); l.Bytes != pieceLength {
		t.Errorf("a byte is needed: %d", l.Bytes)
	}
	for range maxLeases - 1 {
		b.lease("fast", little)
	}
	if r := b.ask("fast"); r.Reason != api.Enough {
		t.Errorf("one more at a time: %+v", r)
	}
}

func TestUnknown(t *testing.T) {
	b := newBed(t, seed)
	r := &api.LeaseRequest{Node: "n", Session: "s", Content: c1, Reason: api.NoPeers}
	if _, err := b.Lease(b.now, r, b.content, b.limits); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("a node that has not announced: %v", err)
	}
	b.node("n", "a", api.Fetcher, nil)
	if _, err := b.Lease(b.now, r, nil, b.limits); !errors.Is(err, shoal.ErrUnavailable) || b.Knows(c1) {
		t.Errorf("a content that isn't described: %v", err)
	}
	r.Session = "another"
	if _, err := b.Lease(b.now, r, b.content, b.limits); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("another session: %v", err)
	}
	if b.Return(b.now, "none", 1) {
		t.Error("returned what isn't there")
	}
}

// TestStarting: a tracker that restarted waits until it knows who holds what.
func TestStarting(t *testing.T) {
	b := newBed(t, seed)
	b.cfg.Open = t0.Add(12 * time.Second)
	b.node("n", "a", api.Fetcher, nil)
	if r := b.ask("n"); r.Reason != api.Starting || r.RetryAfter < 12 || r.RetryAfter > 20 {
		t.Errorf("%+v", r)
	}
	b.pass(12 * time.Second)
	b.lease("n")
}

// TestForgotten: nothing is kept of contents that nobody asks about.
func TestForgotten(t *testing.T) {
	b := newBed(t, seed)
	b.node("n", "a", api.Fetcher, nil)
	b.node("h", "a", api.Holder, nil, withGateway(1e6))
	b.lease("n", reason(api.Unreachable))
	b.lease("n", without(seed))
	b.pass(bookIdle)
	b.pass(sweepEvery)
	if p := b.Planner; p.Knows(c1) || p.memory != 0 || len(p.leases)+len(p.byNode)+len(p.endings)+len(p.servers)+len(p.pushes) != 0 {
		t.Errorf("memory %d, leases %v, by node %v, endings %v, servers %v, pushes %v", p.memory, p.leases, p.byNode, p.endings, p.servers, p.pushes)
	}
}
