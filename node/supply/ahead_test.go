package supply

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// slowLeaser answers after a while.
type slowLeaser struct {
	after    time.Duration
	reply    api.LeaseReply
	err      error
	asked    atomic.Int64
	returned atomic.Int64
}

func (l *slowLeaser) Lease(ctx context.Context, _ api.LeaseRequest) (api.LeaseReply, error) {
	l.asked.Add(1)
	select {
	case <-time.After(l.after):
		return l.reply, l.err
	case <-ctx.Done():
		return api.LeaseReply{}, ctx.Err()
	}
}

func (l *slowLeaser) ReturnLease(context.Context, string, int64) error {
	l.returned.Add(1)
	return nil
}

func newAhead(l Leaser) *Ahead {
	return NewAhead(l, api.LeaseRequest{Session: "s", Reason: api.CrossCarrier}, nil, fallback.Guard{}, slog.New(slog.DiscardHandler))
}

// A lease that was asked for ahead of time and is not used is given back: at once where it
// is dropped or the node stops, else after a while.
func TestAheadIsGivenBack(t *testing.T) {
	lease := &api.Lease{ID: "l", Upstream: api.Upstream{Name: "http://192.0.2.1/", Kind: api.WebSeed, URLs: []string{"http://192.0.2.1/"}}, Pieces: []api.Run{{Count: 1}}, Expires: 30}
	for _, tt := range []struct {
		name     string
		leaser   *slowLeaser
		end      func(a *Ahead, stop context.CancelFunc) // after a second
		took     time.Duration
		returned int64
	}{
		{"dropped", &slowLeaser{reply: api.LeaseReply{Lease: lease}}, func(a *Ahead, _ context.CancelFunc) { a.Drop(); a.Drop() }, time.Second, 1},
		{"dropped before the answer", &slowLeaser{after: 3 * time.Second, reply: api.LeaseReply{Lease: lease}}, func(a *Ahead, _ context.CancelFunc) { a.Drop() }, 3 * time.Second, 1},
		{"the node stops", &slowLeaser{reply: api.LeaseReply{Lease: lease}}, func(_ *Ahead, stop context.CancelFunc) { stop() }, time.Second, 1},
		{"the node stops before the answer", &slowLeaser{after: time.Hour}, func(_ *Ahead, stop context.CancelFunc) { stop() }, time.Second, 0},
		{"forgotten", &slowLeaser{reply: api.LeaseReply{Lease: lease}}, func(*Ahead, context.CancelFunc) {}, aheadTime, 1},
		{"refused", &slowLeaser{reply: api.LeaseReply{Reason: api.Busy}}, func(*Ahead, context.CancelFunc) {}, aheadTime, 0},
		{"failed", &slowLeaser{err: errors.New("failed")}, func(a *Ahead, _ context.CancelFunc) { a.Drop() }, time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAhead(tt.leaser)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				begun := time.Now()
				time.AfterFunc(time.Second, func() { tt.end(a, stop) })
				a.Run(ctx)
				if took := time.Since(begun); took != tt.took || tt.leaser.returned.Load() != tt.returned || !a.Over() {
					t.Errorf("over %v after %v, %d given back; want after %v, %d", a.Over(), took, tt.leaser.returned.Load(), tt.took, tt.returned)
				}
				if a.take() {
					t.Error("taken after that")
				}
			})
		})
	}
}

// A Supply goes on with the lease that was asked for ahead of time, and asks for no other
// meanwhile; it is given back with what was read, once.
func TestSupplyAdoptsAhead(t *testing.T) {
	m, path := fixture(t, 1<<20)
	u := webServer(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	l := &ledger{upstreams: []api.Upstream{u}, m: m, granted: map[string]api.Lease{}, returned: map[string]int64{}}
	a := newAhead(l)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(t.Context())
	}()
	<-a.done
	sw := newLonely(m)
	s := New(Config{
		Manifest: m, Swarm: sw, Held: sw.Held, Leases: l, Session: "s", Ahead: a, Log: slog.New(slog.DiscardHandler),
		Guard: fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Run(ctx); err != nil || !sw.Held().Full() {
		t.Fatalf("held %d of %d pieces, error %v", sw.Held().Count(), m.NumPieces(), err)
	}
	<-ended
	if l.reasons[0] != api.CrossCarrier || len(l.returned) != len(l.granted) || l.returned["a"] == 0 {
		t.Errorf("asked because of %v, granted %d, given back %v", l.reasons, len(l.granted), l.returned)
	}
}

// A Supply that ends waits for no answer to what was asked ahead of time.
func TestSupplyEndsWhileAheadAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := fixture(t, 256<<10)
		l := &slowLeaser{after: time.Hour}
		a := newAhead(l)
		go a.Run(t.Context())
		sw := newLonely(m)
		s := New(Config{Manifest: m, Swarm: sw, Held: sw.Held, Leases: l, Session: "s", Ahead: a, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := s.Run(ctx); err != nil || time.Since(begun) != time.Second || l.asked.Load() != 1 {
			t.Errorf("%v after %v, asked %d times", err, time.Since(begun), l.asked.Load())
		}
	})
}

// What is asked for before the manifest is here is the beginning of the lease, on piece boundaries;
// nothing where the lease does not say enough, or what cannot be.
func TestOpenings(t *testing.T) {
	const piece = 1 << 20
	lease := func(pieces int, h *api.Extent) *api.Lease {
		return &api.Lease{Pieces: []api.Run{{First: 10, Count: pieces}, {First: 500, Count: 9}}, Head: h}
	}
	at := func(from, bytes int64) *api.Extent {
		return &api.Extent{Path: "a/b.bin", From: from, Bytes: bytes, Piece: piece}
	}
	limited := lease(16, at(0, 16*piece))
	limited.Rate = 1
	for name, tt := range map[string]struct {
		lease *api.Lease
		opens []api.Run
		from  int64
		bytes int64
	}{
		"a long run":             {lease(16, at(3*piece, 16*piece)), []api.Run{{First: 10, Count: 4}, {First: 14, Count: 4}}, 3 * piece, 8 * piece},
		"a short one":            {lease(5, at(0, 5*piece)), []api.Run{{First: 10, Count: 4}, {First: 14, Count: 1}}, 0, 5 * piece},
		"to the end of the file": {lease(3, at(0, 2*piece+7)), []api.Run{{First: 10, Count: 3}}, 0, 2*piece + 7},
		"large pieces":           {lease(3, &api.Extent{Path: "x", Bytes: 48 << 20, Piece: 16 << 20}), []api.Run{{First: 10, Count: 1}, {First: 11, Count: 1}}, 0, 32 << 20},
		"not said":               {lease: lease(16, nil)},
		"at a bounded rate":      {lease: limited},
		"out of the content":     {lease: lease(16, &api.Extent{Path: "../x", Bytes: piece, Piece: piece})},
		"no path":                {lease: lease(16, &api.Extent{Bytes: piece, Piece: piece})},
		"no piece length":        {lease: lease(16, &api.Extent{Path: "x", Bytes: piece})},
		"nothing":                {lease: lease(16, at(0, 0))},
		"before the file":        {lease: lease(16, at(-1, piece))},
		"beyond any file":        {lease: lease(16, at(math.MaxInt64-1, piece))},
		"more than the run":      {lease: lease(16, at(0, 17*piece))},
	} {
		opens, first := openings(shoal.ContentID{1}, tt.lease)
		if !slices.Equal(opens, tt.opens) || len(first) != len(opens) {
			t.Errorf("%s: pieces %v, %d ranges, want pieces %v", name, opens, len(first), tt.opens)
			continue
		}
		next := tt.from
		for _, o := range first {
			if o.Content != (shoal.ContentID{1}) || o.Path != tt.lease.Head.Path || o.From != next || o.To <= o.From {
				t.Errorf("%s: %+v", name, o)
			}
			next = o.To
		}
		if next-tt.from != tt.bytes {
			t.Errorf("%s: %d bytes, want %d", name, next-tt.from, tt.bytes)
		}
	}
}

// What is on its way is claimed first, each for a connection.
func TestLeasedClaims(t *testing.T) {
	m, _ := fixture(t, 1<<20)
	sw := newRuns(m)
	l := &leased{swarm: sw, readers: new(readers), opens: []api.Run{{First: 4, Count: 2}, {First: 1, Count: 1}, {First: 0, Count: 1}}}
	set := shoal.NewPieceSet(m.NumPieces())
	for piece := 1; piece < 8; piece++ {
		set.Add(piece)
	}
	l.allowed.Store(set)
	var got []api.Run
	for {
		first, count, ok := l.Claim(t.Context(), 1<<30)
		if !ok {
			break
		}
		got = append(got, api.Run{First: first, Count: count})
	}
	if want := []api.Run{{First: 4, Count: 2}, {First: 1, Count: 1}, {First: 2, Count: 2}, {First: 6, Count: 2}}; !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

// runs is a swarm whose claims are as long as can be.
type runs struct{ *lonely }

func newRuns(m *shoal.Manifest) runs { return runs{newLonely(m)} }

func (r runs) Claim(ctx context.Context, most int64, allowed *shoal.PieceSet) (first, count int, ok bool) {
	first, count, ok = r.lonely.Claim(ctx, most, allowed)
	for ok && allowed.Has(first+count) && r.claimed.Add(first+count) {
		count++
	}
	return first, count, ok
}

// A lease that came with an order is used without asking for another, and given back like any.
func TestAheadOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLeaser{after: time.Hour}
		granted := &api.Lease{ID: "l", Upstream: api.Upstream{Name: "http://192.0.2.1/", Kind: api.WebSeed, URLs: []string{"http://192.0.2.1/"}}, Pieces: []api.Run{{Count: 1}}, Expires: 10}
		a := NewAhead(l, api.LeaseRequest{Session: "s", Reason: api.CrossCarrier}, granted, fallback.Guard{}, slog.New(slog.DiscardHandler))
		time.AfterFunc(time.Second, a.Drop)
		begun := time.Now()
		a.Run(t.Context())
		if a.reply.Lease != granted || time.Since(begun) != time.Second || l.asked.Load() != 0 || l.returned.Load() != 1 {
			t.Errorf("lease %v after %v; asked %d times, gave back %d", a.reply.Lease, time.Since(begun), l.asked.Load(), l.returned.Load())
		}
	})
}
