package supply

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	return NewAhead(l, api.LeaseRequest{Session: "s", Reason: api.CrossCarrier}, fallback.Guard{}, slog.New(slog.DiscardHandler))
}

// A lease that was asked for ahead of time and is not used is given back: at once where it
// is dropped or the node stops, else after a while.
func TestAheadIsGivenBack(t *testing.T) {
	lease := &api.Lease{ID: "l", Upstream: api.Upstream{Name: "http://192.0.2.1/", Kind: api.WebSeed, URLs: []string{"http://192.0.2.1/"}}, Pieces: []api.Run{{Count: 1}}, Expires: 30}
	short, none := *lease, *lease
	short.Expires, none.Expires = 10, 0.5
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
		{"forgotten, and about to expire", &slowLeaser{after: 2 * time.Second, reply: api.LeaseReply{Lease: &short}}, func(*Ahead, context.CancelFunc) {}, 11 * time.Second, 1},
		{"useless", &slowLeaser{reply: api.LeaseReply{Lease: &none}}, func(*Ahead, context.CancelFunc) {}, 0, 1},
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
