package leases

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

const (
	numPieces   = 2048
	pieceLength = 32 << 10
	size        = numPieces * pieceLength
	seed        = "http://origin.example/c"
)

var (
	t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c1 = shoal.ContentID{1}
)

// bed is a planner on a real registry, and the time.
type bed struct {
	*testing.T
	*Planner
	nodes   *registry.Registry
	now     time.Time
	content *Content
	limits  api.Limits
	read    map[string]int64 // by upstream
}

func newBed(t *testing.T, webSeeds ...string) *bed {
	b := &bed{
		T: t, now: t0, nodes: registry.New(rand.New(rand.NewPCG(1, 2))), read: make(map[string]int64),
		content: &Content{id: c1, size: size, pieces: numPieces, pieceLength: pieceLength, webSeeds: webSeeds},
	}
	b.Planner = New(Config{Nodes: b.nodes, Rand: rand.New(rand.NewPCG(3, 4)), Read: func(u api.Upstream, n int64) { b.read[u.Name] += n }})
	return b
}

// node announces a node's part of the content, "" for none, anew.
func (b *bed) node(id, carrier string, role api.Role, held *shoal.PieceSet, change ...func(*api.NodeInfo)) {
	b.Helper()
	info := api.NodeInfo{ID: shoal.NodeID(id), Name: id, Addrs: []string{"/ip4/10.0.0.1/tcp/1"}, Locality: shoal.Locality{Carrier: carrier}}
	for _, f := range change {
		f(&info)
	}
	a := &api.Announce{Node: info, Session: "s", Full: true}
	if role != "" {
		if held == nil {
			held = shoal.NewPieceSet(b.content.pieces)
			if role != api.Fetcher {
				held = shoal.FullPieceSet(b.content.pieces)
			}
		}
		a.Holdings = []api.Holding{{Content: c1, Role: role, Pieces: held.Pieces()}}
	}
	if _, err := b.nodes.Announce(b.now, a); err != nil {
		b.Fatal(err)
	}
}

func withGateway(up shoal.Rate) func(*api.NodeInfo) {
	return func(n *api.NodeInfo) { n.Gateway, n.Up = []string{"http://" + n.Name + ":80"}, up }
}

// ask asks for a lease as a node does that has no peers.
func (b *bed) ask(id string, change ...func(*api.LeaseRequest)) api.LeaseReply {
	b.Helper()
	r := &api.LeaseRequest{Node: shoal.NodeID(id), Session: "s", Content: c1, Reason: api.NoPeers}
	for _, f := range change {
		f(r)
	}
	if err := r.Validate(); err != nil {
		b.Fatal(err)
	}
	reply, err := b.Lease(b.now, r, b.content, b.limits)
	if err != nil {
		b.Fatal(err)
	}
	if (reply.Lease == nil) == (reply.Reason == "") {
		b.Fatalf("neither granted nor refused, or both: %+v", reply)
	}
	return reply
}

// lease is ask where a lease must be granted.
func (b *bed) lease(id string, change ...func(*api.LeaseRequest)) *api.Lease {
	b.Helper()
	r := b.ask(id, change...)
	if r.Lease == nil {
		b.Fatalf("%s: refused: %s", id, r.Reason)
	}
	if sum := b.content.bytesOf(r.Lease.Pieces); sum != r.Lease.Bytes || sum == 0 {
		b.Fatalf("%s: %d bytes for pieces of %d", id, r.Lease.Bytes, sum)
	}
	return r.Lease
}

func (b *bed) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.Sweep(b.now)
}

func reason(why api.LeaseReason) func(*api.LeaseRequest) {
	return func(r *api.LeaseRequest) { r.Reason = why }
}

func done(l *api.Lease) func(*api.LeaseRequest) {
	return func(r *api.LeaseRequest) { r.Lease, r.Used, r.Done = l.ID, l.Bytes, true }
}

func renew(l *api.Lease, used int64) func(*api.LeaseRequest) {
	return func(r *api.LeaseRequest) { r.Lease, r.Used = l.ID, used }
}

func without(upstreams ...string) func(*api.LeaseRequest) {
	return func(r *api.LeaseRequest) {
		for _, u := range upstreams {
			r.Excluded = append(r.Excluded, api.Benched{Upstream: u, Reason: "404"})
		}
	}
}

// setOf is the pieces of leases.
func setOf(pieceLists ...[]api.Run) *shoal.PieceSet {
	s := shoal.NewPieceSet(numPieces)
	for p := range pieces(slices.Concat(pieceLists...)) {
		s.Add(p)
	}
	return s
}

// TestStampede: B1, when a thousand nodes ask in the same instant, what they
// may read of the origin is no more than a copy for each carrier, no piece
// is read twice for one, and everybody gets an answer of his own.
func TestStampede(t *testing.T) {
	b := newBed(t, seed)
	const nodes = 1000
	carriers := []string{"a", "b", "c"}
	for i := range nodes {
		b.node(fmt.Sprint("n", i), carriers[i%3], api.Fetcher, nil)
	}
	taken := map[string]*shoal.PieceSet{}
	for _, c := range carriers {
		taken[c] = shoal.NewPieceSet(numPieces)
	}
	egress, granted := int64(0), 0
	var retries []float64
	for i := range nodes {
		r := b.ask(fmt.Sprint("n", i))
		if r.Lease == nil {
			retries = append(retries, r.RetryAfter)
			continue
		}
		granted++
		egress += r.Lease.Bytes
		if share := int64(numPieces / (nodes / 3)); r.Lease.Bytes > share*pieceLength {
			t.Fatalf("a lease of %d bytes, want at most %d pieces", r.Lease.Bytes, share)
		}
		for p := range pieces(r.Lease.Pieces) {
			if !taken[carriers[i%3]].Add(p) {
				t.Fatalf("piece %d is leased twice in carrier %s", p, carriers[i%3])
			}
		}
	}
	if most := int64(size) * 3 * 12 / 10; egress > most {
		t.Errorf("%d bytes leased, want at most %d", egress, most)
	}
	if granted != originLeases {
		t.Errorf("%d leases at a time, want %d", granted, originLeases)
	}
	slices.Sort(retries)
	if low, high := retries[0], retries[len(retries)-1]; low < 1 || high > 2*nodes/asksPerSecond || high < 1.3*low {
		t.Errorf("refused nodes return after %v to %v s, want that spread out", low, high)
	}
}

// TestColdStart: 60 nodes and an origin that nobody has read yet. The origin
// sends each piece once, is never idle, and the nodes share it from the first
// second on. Where nodes lose what they have, that is all that is read again.
func TestColdStart(t *testing.T) {
	for _, crash := range []float64{0, 0.0003} {
		t.Run(fmt.Sprint("crashes ", crash), func(t *testing.T) { coldStart(t, crash) })
	}
}

// coldStart plays a distribution in steps; in each a node crashes with a probability.
func coldStart(t *testing.T, crash float64) {
	b := newBed(t, seed)
	rng := rand.New(rand.NewPCG(7, 8))
	const (
		nodes  = 60
		uplink = 2_500_000 // bytes/s of the origin
		step   = 50 * time.Millisecond
	)
	type node struct {
		held  *shoal.PieceSet
		lease *api.Lease
		used  int64
		again time.Time
	}
	all := make([]node, nodes)
	for i := range all {
		all[i].held = shoal.NewPieceSet(numPieces)
		b.node(fmt.Sprint("n", i), "a", api.Fetcher, all[i].held)
	}
	everywhere := shoal.NewPieceSet(numPieces)
	for !everywhere.Full() {
		if b.now.Sub(t0) > time.Minute {
			t.Fatalf("after a minute %d of %d pieces are there", everywhere.Count(), numPieces)
		}
		reading := 0
		for i := range all {
			n := &all[i]
			if n.lease == nil && !b.now.Before(n.again) {
				r := b.ask(fmt.Sprint("n", i))
				n.lease, n.again = r.Lease, b.now.Add(time.Duration(r.RetryAfter*float64(time.Second)))
			}
			if n.lease != nil {
				reading++
			}
		}
		if b.now.Equal(t0) && reading < nodes {
			t.Errorf("in the first instant %d of %d nodes have a lease", reading, nodes)
		}
		b.pass(step)
		for i := range all {
			n := &all[i]
			if rng.Float64() < crash {
				b.Forget(b.now, shoal.NodeID(fmt.Sprint("n", i)))
				for p := range n.held.All() {
					everywhere.Remove(p)
				}
				*n = node{held: shoal.NewPieceSet(numPieces), again: b.now.Add(time.Second)}
				b.node(fmt.Sprint("n", i), "a", api.Fetcher, n.held)
				continue
			}
			if n.lease == nil {
				continue
			}
			n.used += int64(uplink*step.Seconds()) / int64(reading)
			if n.used < n.lease.Bytes {
				continue
			}
			for p := range pieces(n.lease.Pieces) {
				n.held.Add(p)
				if !everywhere.Add(p) && crash == 0 {
					t.Fatalf("piece %d is read twice", p)
				}
			}
			b.node(fmt.Sprint("n", i), "a", api.Fetcher, n.held)
			r := b.ask(fmt.Sprint("n", i), done(n.lease))
			n.lease, n.used, n.again = r.Lease, 0, b.now.Add(time.Duration(r.RetryAfter*float64(time.Second)))
		}
	}
	took, bound := b.now.Sub(t0).Seconds(), float64(b.read[seed])/uplink
	if crash == 0 && took > 1.1*bound {
		t.Errorf("all is out after %.1f s, want at most 1.1 × %.1f s", took, bound)
	}
	if copies := float64(b.read[seed]) / size; copies > 1.2 {
		t.Errorf("the origin sends %.2f copies, want at most 1.2", copies)
	}
	t.Logf("%.2f × the bound, %.3f copies", took/bound, float64(b.read[seed])/size)
	b.pass(leaseTTL + settleTime + time.Second)
	if r := b.ask("n0"); crash == 0 && r.Reason != api.InCarrier {
		t.Errorf("once the carrier has everything: %+v", r)
	}
}
