package fallback

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// requests are the ranges that a server was asked for.
type requests struct {
	mu     sync.Mutex
	ranges []string
}

func (r *requests) of(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.ranges = append(r.ranges, req.Header.Get("Range"))
		r.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}

func (r *requests) count(asked string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.ranges {
		if s == asked {
			n++
		}
	}
	return n
}

// What connections were opened with is used where it is what is claimed for them, and asked for
// once; what is not is asked for anew.
func TestOpenings(t *testing.T) {
	c := oneFile(t, 3*firstRange)
	opening := func(from, to int64) Opening {
		return Opening{Content: c.m.ID(), Path: c.m.Files()[0].Path, From: from, To: to}
	}
	first, second := opening(0, firstRange), opening(firstRange, 2*firstRange)
	other := first
	other.Path = "nothing.bin"
	for name, tt := range map[string]struct {
		opens []Opening
		rtt   time.Duration
		asked map[string]int // how often, of the two first ranges
	}{
		"both of a far one":         {[]Opening{first, second}, 200 * time.Millisecond, map[string]int{"bytes=0-4194303": 1, "bytes=4194304-8388607": 1}},
		"one of a near one":         {[]Opening{first}, time.Millisecond, map[string]int{"bytes=0-4194303": 1}},
		"another range":             {[]Opening{opening(1, firstRange)}, time.Millisecond, map[string]int{"bytes=1-4194303": 1, "bytes=0-4194303": 1}},
		"another file":              {[]Opening{other}, time.Millisecond, map[string]int{"bytes=0-4194303": 2}},
		"more than has connections": {[]Opening{first, second, opening(2*firstRange, 3*firstRange)}, 200 * time.Millisecond, map[string]int{"bytes=8388608-12582911": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGatewayServer(t, c, 0)
			asked := new(requests)
			g.Config.Handler = asked.of(g.Config.Handler)
			u := g.upstream()
			base, err := u.parse()
			if err != nil {
				t.Fatal(err)
			}
			src := newSource(u, base, nil)
			r := reach(src, new(net.Dialer).DialContext, tt.opens) // which measures no round trip
			answered(t, r)
			for _, l := range src.spares {
				l.link.rtt.Store(int64(tt.rtt))
			}
			p := newPieces(c.m)
			f, err := New(Config{Manifest: c.m, Pieces: p, Upstreams: []Upstream{u}, Reached: []*Reached{r}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := f.Run(ctx); err != nil {
				t.Fatal(err)
			}
			p.check(t, true)
			for at, n := range tt.asked {
				if got := asked.count(at); got != n {
					t.Errorf("%s was asked for %d times, want %d: %v", at, got, n, asked.ranges)
				}
			}
			if st := f.Stats(); st.Delivered != c.m.Size() || st.Upstreams[0].Reason != "" {
				t.Errorf("%+v", st)
			}
			g.allClosed(t)
		})
	}
}

// Openings that nobody wants are broken off with their connections, before and after the answer; a
// server that refuses them is asked anew.
func TestOpeningsEnd(t *testing.T) {
	c := oneFile(t, firstRange)
	o := Opening{Content: c.m.ID(), Path: c.m.Files()[0].Path, To: firstRange}
	g := newGatewayServer(t, c, time.Millisecond)
	for _, wait := range []bool{false, true} {
		r, err := Reach(g.upstream(), nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if wait {
			answered(t, r)
		}
		r.Close()
		g.allClosed(t)
	}
	r, err := Reach(g.upstream(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	answered(t, r)
	f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{g.upstream()}, Reached: []*Reached{r}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := f.Run(ctx); err != context.Canceled {
		t.Errorf("error %v", err)
	}
	g.allClosed(t)
	if !slices.Equal(g.protos, []string{"HTTP/2.0"}) {
		t.Errorf("by %v", g.protos)
	}
}
