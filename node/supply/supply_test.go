package supply

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// lonely is a swarm without peers.
type lonely struct {
	m        *shoal.Manifest
	complete chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	held    *shoal.PieceSet
	claimed *shoal.PieceSet
	bytes   int64
	foul    []int // pieces claimed without being allowed, or stored twice
}

func newLonely(m *shoal.Manifest) *lonely {
	n := m.NumPieces()
	return &lonely{m: m, complete: make(chan struct{}), done: make(chan struct{}),
		held: shoal.NewPieceSet(n), claimed: shoal.NewPieceSet(n)}
}

func (l *lonely) Complete() <-chan struct{} { return l.complete }
func (l *lonely) Done() <-chan struct{}     { return l.done }

func (l *lonely) Stats() swarm.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return swarm.Stats{Pieces: l.held.Count(), Lacking: l.m.NumPieces() - l.held.Count(), Bytes: swarm.Bytes{Upstream: l.bytes}}
}

func (l *lonely) Held() *shoal.PieceSet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.Clone()
}

func (l *lonely) Claim(_ context.Context, _ int64, allowed *shoal.PieceSet) (first, count int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for piece := range allowed.AndNot(l.held) {
		if l.claimed.Add(piece) {
			return piece, 1, true
		}
	}
	return 0, 0, false
}

func (l *lonely) Deliver(_ context.Context, piece int, data []byte) error {
	if !l.m.VerifyPiece(piece, data) {
		return shoal.ErrCorrupt
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.claimed.Has(piece) || !l.held.Add(piece) {
		l.foul = append(l.foul, piece)
		return nil
	}
	l.bytes += int64(len(data))
	if l.held.Full() {
		close(l.complete)
	}
	return nil
}

func (l *lonely) AvoidCross(bool) {}

func (l *lonely) Release(first, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for piece := first; piece < first+count; piece++ {
		if !l.held.Has(piece) {
			l.claimed.Remove(piece)
		}
	}
}

// ledger is a tracker that leases a few pieces at a time, of the first of its
// upstreams that isn't excluded.
type ledger struct {
	m         *shoal.Manifest
	upstreams []api.Upstream

	mu       sync.Mutex
	next     int
	granted  map[string]api.Lease
	returned map[string]int64
	reasons  []api.LeaseReason
	excluded []api.Benched
}

func (t *ledger) Lease(_ context.Context, r api.LeaseRequest) (api.LeaseReply, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Lease != "" && !r.Done {
		l := t.granted[r.Lease]
		return api.LeaseReply{Lease: &l}, nil
	}
	if r.Done {
		t.settle(r.Lease, r.Used)
	}
	t.reasons = append(t.reasons, r.Reason)
	for _, b := range r.Excluded {
		if !slices.Contains(t.excluded, b) {
			t.excluded = append(t.excluded, b)
		}
	}
	for _, u := range t.upstreams {
		if slices.ContainsFunc(r.Excluded, func(b api.Benched) bool { return b.Upstream == u.Name }) {
			continue
		}
		run := api.Run{First: t.next, Count: min(8, t.m.NumPieces()-t.next)}
		if run.Count == 0 {
			return api.LeaseReply{Reason: api.AllLeased, RetryAfter: 0.2}, nil
		}
		t.next += run.Count
		l := api.Lease{ID: string(rune('a' + len(t.granted))), Upstream: u, Pieces: []api.Run{run}, Expires: 10}
		t.granted[l.ID] = l
		return api.LeaseReply{Lease: &l}, nil
	}
	return api.LeaseReply{Reason: api.NoUpstream, RetryAfter: 0.2}, nil
}

func (t *ledger) ReturnLease(_ context.Context, id string, used int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(id, used)
	return nil
}

// settle takes a lease back; what it did not bring is leased again.
func (t *ledger) settle(id string, used int64) {
	t.returned[id] = used
	if used == 0 {
		t.next = min(t.next, t.granted[id].Pieces[0].First)
	}
}

func fixture(t *testing.T, size int) (*shoal.Manifest, string) {
	t.Helper()
	data := make([]byte, size)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, path
}

func webServer(t *testing.T, h http.HandlerFunc) api.Upstream {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return api.Upstream{Name: s.URL, Kind: api.WebSeed, URLs: []string{s.URL}}
}

func run(t *testing.T, m *shoal.Manifest, l *ledger) (*lonely, *Supply, error) {
	t.Helper()
	l.m, l.granted, l.returned = m, make(map[string]api.Lease), make(map[string]int64)
	sw := newLonely(m)
	s := New(Config{
		Manifest: m, Swarm: sw, Held: sw.Held, Leases: l, Session: "s", Log: slog.New(slog.DiscardHandler),
		Guard: fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return sw, s, s.Run(ctx)
}

// M8, B1: with no peers all comes by leases, each piece once, and every lease is
// given back with what was read.
func TestLeasesFillALonelySwarm(t *testing.T) {
	m, path := fixture(t, 1<<20+777)
	l := &ledger{upstreams: []api.Upstream{webServer(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })}}
	sw, s, err := run(t, m, l)
	if err != nil || !sw.Held().Full() || len(sw.foul) > 0 {
		t.Fatalf("error %v, %d of %d pieces, foul %v", err, sw.Held().Count(), m.NumPieces(), sw.foul)
	}
	var used int64
	for _, n := range l.returned {
		used += n
	}
	if len(l.returned) != len(l.granted) || used != m.Size() {
		t.Errorf("%d of %d leases given back, %d bytes used of %d", len(l.returned), len(l.granted), used, m.Size())
	}
	if l.reasons[0] != api.NoPeers {
		t.Errorf("asked for %q", l.reasons[0])
	}
	if w := s.Why(); w.Active+w.Lease+w.Upstream+w.NoPeer == 0 || w.SlowPeer > 0 {
		t.Errorf("why %+v", w)
	}
}

// A broken upstream is named to the tracker, and another one is read.
func TestBrokenUpstreamIsExcluded(t *testing.T) {
	m, path := fixture(t, 512<<10)
	var hits atomic.Int32
	bad := webServer(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		http.Error(w, "gone", http.StatusNotFound)
	})
	good := webServer(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	l := &ledger{upstreams: []api.Upstream{bad, good}}
	sw, _, err := run(t, m, l)
	if err != nil || !sw.Held().Full() {
		t.Fatalf("error %v, %d of %d pieces", err, sw.Held().Count(), m.NumPieces())
	}
	if n := hits.Load(); n > 2 { // it begins with two connections
		t.Errorf("asked %d times for what it has not", n)
	}
	if len(l.excluded) != 1 || l.excluded[0].Upstream != bad.Name || l.excluded[0].Reason == "" {
		t.Errorf("excluded %+v", l.excluded)
	}
}

// "or fails within 30 s saying why"
func TestHopeless(t *testing.T) {
	now := time.Unix(0, 0)
	seeds := []string{"a", "b"}
	tr := newTrouble()
	tr.refused = api.NoUpstream
	if err := tr.hopeless(seeds, true, false, false); err != nil {
		t.Errorf("nothing has failed: %v", err)
	}
	tr.bench("a", "404")
	for range manyPauses {
		if err := tr.hopeless(seeds, true, false, false); err != nil {
			t.Errorf("one may come back: %v", err)
		}
		if err := tr.hopeless(seeds, true, true, true); (err != nil) != tr.failed("b") {
			t.Errorf("all is lost, and b has failed %d times: %v", tr.attempts("b"), err)
		}
		tr.pause(now, "b", "silence")
	}
	err := tr.hopeless(seeds, true, false, false)
	if !errors.Is(err, shoal.ErrUnavailable) || err.Error() != "unavailable: no peer has it, and no upstream is of use: a: 404\nb: silence" {
		t.Errorf("%v", err)
	}
	for name, c := range map[string]struct {
		seeds         []string
		alone, leased bool
	}{
		"peers help":                          {seeds, false, false},
		"another is being tried":              {seeds, true, true},
		"without web seeds a peer may return": {nil, true, false},
	} {
		if err := tr.hopeless(c.seeds, c.alone, c.leased, false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr.worked("b")
	if err := tr.hopeless(seeds, true, false, false); err != nil {
		t.Errorf("one works again: %v", err)
	}
}

// deaf is a tracker that does not answer.
type deaf struct {
	mu    sync.Mutex
	calls int
}

func (d *deaf) Lease(_ context.Context, r api.LeaseRequest) (api.LeaseReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls++; d.calls == 1 {
		return api.LeaseReply{Lease: &api.Lease{ID: "x", Upstream: api.Upstream{Name: "http://192.0.2.1", Kind: api.WebSeed, URLs: []string{"http://192.0.2.1"}},
			Pieces: []api.Run{{First: 0, Count: 1}}, Expires: 4}}, nil
	}
	return api.LeaseReply{}, shoal.ErrUnavailable
}

func (d *deaf) ReturnLease(context.Context, string, int64) error { return shoal.ErrUnavailable }

// A tracker that fails is not stormed: not for renewals either.
func TestFailingTrackerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture(t, 256<<10)
		d, sw := &deaf{}, newLonely(m)
		s := New(Config{Manifest: m, Swarm: sw, Held: sw.Held, Leases: d, Session: "s", Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		if d.calls < 2 || d.calls > 6 {
			t.Errorf("%d calls in 9 s", d.calls)
		}
	})
}

// Without a tracker a node allows itself little, and only of web seeds (B1, B4).
func TestOwnLease(t *testing.T) {
	m, _ := fixture(t, 8<<20)
	rng := rand.New(rand.NewPCG(3, 4))
	all := func(string) bool { return true }
	held := shoal.NewPieceSet(m.NumPieces())
	if _, ok := ownLease(m, held, all, rng); ok {
		t.Error("without a web seed")
	}
	m, err := m.WithWebSeeds([]string{"https://a.example/f", "https://b.example/f"})
	if err != nil {
		t.Fatal(err)
	}
	held.Add(3)
	seen := shoal.NewPieceSet(m.NumPieces())
	for range 2000 {
		l, ok := ownLease(m, held, func(u string) bool { return u != "https://a.example/f" }, rng)
		if !ok || l.Upstream.Name != "https://b.example/f" || l.Rate != aloneRate || l.Connections != 1 || len(l.Pieces) != 1 {
			t.Fatalf("%+v, %v", l, ok)
		}
		if err := check(l, m.NumPieces()); err != nil || l.Pieces[0].Count > m.NumPieces()/aloneShare {
			t.Fatalf("%+v: %v", l, err)
		}
		for piece := range newLoan(l, time.Now()).all() {
			if held.Has(piece) {
				t.Fatalf("%+v has a piece that is here", l)
			}
			seen.Add(piece)
		}
	}
	if seen.Count() != m.NumPieces()-1 {
		t.Errorf("%d of %d pieces ever chosen", seen.Count(), m.NumPieces())
	}
	if _, ok := ownLease(m, shoal.FullPieceSet(m.NumPieces()), all, rng); ok {
		t.Error("with nothing missing")
	}
}

// A tracker is not trusted to make sense.
func TestCheck(t *testing.T) {
	good := api.Lease{ID: "x", Pieces: []api.Run{{First: 0, Count: 4}}, Expires: 10}
	for name, change := range map[string]func(*api.Lease){
		"before the first": func(l *api.Lease) { l.Pieces[0].First = -1 },
		"beyond the last":  func(l *api.Lease) { l.Pieces[0].First = 1 },
		"overflow":         func(l *api.Lease) { l.Pieces[0] = api.Run{First: 3, Count: int(^uint(0) >> 1)} },
		"no time":          func(l *api.Lease) { l.Expires = 0 },
		"no number":        func(l *api.Lease) { l.Expires = math.NaN() },
		"no pieces":        func(l *api.Lease) { l.Pieces = nil },
		"overlap":          func(l *api.Lease) { l.Pieces = []api.Run{{First: 0, Count: 2}, {First: 1, Count: 1}} },
		"too many runs":    func(l *api.Lease) { l.Pieces = make([]api.Run, api.MaxRuns+1) },
		"negative rate":    func(l *api.Lease) { l.Rate = -1 },
	} {
		l := good
		l.Pieces = slices.Clone(good.Pieces)
		change(&l)
		if err := check(l, 4); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := check(good, 4); err != nil {
		t.Error(err)
	}
}
