package supply

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// What is told of readers: the missing pieces from where each waits, of those
// that nothing brings.
func TestReaders(t *testing.T) {
	now := time.Unix(100, 0)
	settled := shoal.NewPieceSet(100)
	for _, piece := range []int{12, 50} {
		settled.Add(piece)
	}
	var r readers
	if w := r.want(settled, now); w.runs != nil || r.any() {
		t.Errorf("nobody reads: %+v", w)
	}
	early := r.add(10, 8, now)
	r.add(50, 4, now.Add(time.Second))    // has its piece
	r.add(95, 20, now.Add(2*time.Second)) // to the end
	for _, nowhere := range [][2]int{{-1, 5}, {100, 1}, {7, 0}} {
		r.add(nowhere[0], nowhere[1], now)
	}
	w := r.want(settled, now.Add(3*time.Second))
	if want := []api.Run{{First: 10, Count: 2}, {First: 95, Count: 5}}; !slices.Equal(w.runs, want) {
		t.Errorf("wanted %v, want %v", w.runs, want)
	}
	if w.wait != 3*time.Second || !w.newest.Equal(now.Add(2*time.Second)) {
		t.Errorf("waits for %v, the newest since %v", w.wait, w.newest)
	}
	early()
	if w := r.want(settled, now.Add(3*time.Second)); w.wait != time.Second || w.runs[0].First != 95 {
		t.Errorf("the first is gone: %+v", w)
	}
	for range 2 * api.MaxWanted {
		r.add(20, 1, now)
	}
	if w := r.want(settled, now); len(w.runs) != api.MaxWanted {
		t.Errorf("%d runs", len(w.runs))
	}
}

// following is a tracker that leases what is wanted, and the front to those who
// want nothing. It refuses for a long time whoever is not waited for.
type following struct {
	m        *shoal.Manifest
	upstream api.Upstream
	asked    chan api.LeaseRequest
}

func (f *following) Lease(_ context.Context, r api.LeaseRequest) (api.LeaseReply, error) {
	f.asked <- r
	if len(r.Want) == 0 {
		return api.LeaseReply{Reason: api.AllLeased, RetryAfter: 60}, nil
	}
	return api.LeaseReply{Lease: &api.Lease{ID: "x", Upstream: f.upstream, Pieces: r.Want[:1], Expires: 10}}, nil
}

func (*following) ReturnLease(context.Context, string, int64) error { return nil }

// B5, M8: a node that was just put off asks again when somebody begins to wait,
// and what it reads first is what is waited for.
func TestLeasesFollowReaders(t *testing.T) {
	m, path := fixture(t, 1<<20)
	tr := &following{m: m, upstream: webServer(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }), asked: make(chan api.LeaseRequest, 16)}
	sw := newLonely(m)
	s := New(Config{
		Manifest: m, Swarm: sw, Held: sw.Held, Leases: tr, Session: "s", Log: slog.New(slog.DiscardHandler),
		Guard: fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if r := <-tr.asked; len(r.Want) != 0 {
		t.Fatalf("nobody reads, and %v is asked for", r.Want)
	}
	first := m.NumPieces() - 3
	defer s.Want(first, 3)()
	if r := <-tr.asked; !slices.Equal(r.Want, []api.Run{{First: first, Count: 3}}) {
		t.Errorf("asked for %v", r.Want)
	}
	for !sw.Held().Has(first) {
		select {
		case <-ctx.Done():
			t.Fatal("the piece has not come")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := sw.Held().Count(); n > 3 {
		t.Errorf("%d pieces came", n)
	}
}
