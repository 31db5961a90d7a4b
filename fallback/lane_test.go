package fallback

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// gatewayServer is a node's gateway, with HTTP/2.
type gatewayServer struct {
	*httptest.Server
	connections atomic.Int64 // that were accepted
	closed      atomic.Int64 // of these

	mu     sync.Mutex
	most   int // requests at once on one connection
	under  map[string]int
	heads  int
	protos []string
}

func newGatewayServer(t *testing.T, c content, pause time.Duration) *gatewayServer {
	g := &gatewayServer{under: map[string]int{}}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		if r.Method == http.MethodHead {
			g.heads++
		}
		g.under[r.RemoteAddr]++
		g.most = max(g.most, g.under[r.RemoteAddr])
		if !slices.Contains(g.protos, r.Proto) {
			g.protos = append(g.protos, r.Proto)
		}
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.under[r.RemoteAddr]--
			g.mu.Unlock()
		}()
		data, ok := c.bytes[path.Base(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(&countingWriter{ResponseWriter: w, o: &origin{pause: pause}}, r, "", time.Time{}, bytes.NewReader(data))
	}))
	g.EnableHTTP2 = true
	g.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			g.connections.Add(1)
		case http.StateClosed:
			g.closed.Add(1)
		}
	}
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

func (g *gatewayServer) upstream() Upstream {
	return Upstream{Name: "gateway", URL: g.URL, Kind: Node, TLS: &tls.Config{RootCAs: g.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
}

// On a lane, the next range is begun while one is still coming, but not long before.
func TestNextOnLane(t *testing.T) {
	c := oneFile(t, 8*pieceLength)
	for name, tt := range map[string]struct {
		rtt  time.Duration
		got  int64   // of 8 pieces, in a second
		rate float64 // pieces a second of the range before it; 0: it is the first
		now  float64 // the same of all that came lately; 0: not known
		next bool
	}{
		"no answer yet":              {0, 0, 0, 0, false},
		"far from ready":             {10 * time.Millisecond, pieceLength, 0, 0, false},
		"near its end":               {10 * time.Millisecond, 7.5 * pieceLength, 0, 0, true},
		"a long line":                {200 * time.Millisecond, 4 * pieceLength, 0, 0, true},
		"behind one that comes fast": {0, 0, 7, 0, true},
		"behind one that does not":   {0, 0, 4, 0, false},
		"the line has got slow":      {0, 0, 7, 0.7, false},
		"slow, and it is coming":     {150 * time.Millisecond, pieceLength, 7, 0.7, false},
		"the line has got fast":      {0, 0, 0.7, 7, true},
	} {
		const rtt = 150 * time.Millisecond
		l := &lane{rate: tt.rate * pieceLength}
		if tt.rate > 0 {
			l.link = new(link)
			l.link.rtt.Store(int64(rtt))
		}
		if tt.now > 0 {
			l.pulse.observe(at(time.Second-patience(rtt)), 0, patience(rtt))
			l.got.Store(int64(tt.now * patience(rtt).Seconds() * pieceLength))
		}
		src := &source{lanes: []*lane{l}}
		l.conns = []*conn{{src: src, lane: l}, {src: src, lane: l}}
		busy := l.conns[0]
		busy.seg, busy.began = newSegment(c.m, 0, 8), start
		busy.rtt.Store(int64(tt.rtt))
		busy.got.Store(tt.got)
		busy.seg.next, busy.seg.have = int(tt.got/pieceLength), int(tt.got%pieceLength)
		if got := l.conns[1].next(at(time.Second)); got != tt.next {
			t.Errorf("%s: next %v, want %v", name, got, tt.next)
		}
	}
}

// The first range across a long line lasts until a sender with BBR has got up to speed, but not that
// of a trial, which others go on with.
func TestFirstRange(t *testing.T) {
	for name, tt := range map[string]struct {
		url   string
		route Transport
		by    Transport
		rtt   time.Duration
		got   int64
		rate  float64
		want  int64
	}{
		"near":                  {"https://x", TCP, "", 10 * time.Millisecond, 0, 0, firstRange},
		"far":                   {"https://x", TCP, "", 200 * time.Millisecond, 0, 0, farRange},
		"the one after it":      {"https://x", TCP, "", 200 * time.Millisecond, 1, 0, firstRange},
		"HTTP/3":                {"https://x", QUIC, "", 200 * time.Millisecond, 0, 0, firstRange},
		"a trial":               {"https://x", TCP, QUIC, 200 * time.Millisecond, 0, 0, firstRange},
		"a trial beside HTTP/3": {"https://x", QUIC, TCP, 200 * time.Millisecond, 0, 0, firstRange},
		"without TLS":           {"http://x", TCP, "", 200 * time.Millisecond, 0, 0, firstRange},
		"known already":         {"https://x", TCP, "", 200 * time.Millisecond, 0, 1 << 20, 1 << 20},
	} {
		base, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		l := &lane{by: tt.by, rate: tt.rate, link: new(link)}
		l.link.rtt.Store(int64(tt.rtt))
		l.got.Store(tt.got)
		c := &conn{src: newSource(Upstream{Kind: Node}, base, nil), lane: l}
		c.src.route.current = tt.route
		c.src.resetOnSwitch()
		if got := c.wants(); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tt.want)
		}
	}
}

// Across a long line every lane that is wanted has its three ranges under way, whatever the others
// have asked for ahead.
func TestEveryLaneWorks(t *testing.T) {
	const rtt, rate = 200 * time.Millisecond, 1 << 20
	c := oneFile(t, 16<<20)
	synctest.Test(t, func(t *testing.T) {
		f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{{Name: "u", Kind: Node, URL: "https://192.0.2.1"}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer f.stop(cancel)
		f.dial = func(context.Context, string, string) (net.Conn, error) { // no answer comes
			<-ctx.Done()
			return nil, ctx.Err()
		}
		s := f.sources[0]
		s.connections.rtt, s.route.rate[TCP] = rtt, rate
		for n := 1; n <= 3; n++ {
			s.connections.n = n
			for range 2 * s.depth() {
				f.assign(ctx, time.Now())
				synctest.Wait()
				for _, l := range s.lanes { // as if it had brought a range before
					if l.rate = rate; l.link != nil {
						l.link.rtt.Store(int64(rtt))
					}
				}
			}
			if s.busy() != n || f.busy != 3*n {
				t.Errorf("of %d lanes %d work, on %d ranges", n, s.busy(), f.busy)
			}
		}
	})
}

// Over HTTP/2 all ranges come by one connection.
func TestRangesShareAConnection(t *testing.T) {
	c := oneFile(t, 4*firstRange)
	g := newGatewayServer(t, c, 2*time.Millisecond)
	p := newPieces(c.m)
	f, err := New(Config{Manifest: c.m, Pieces: p, Upstreams: []Upstream{g.upstream()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	p.check(t, true)
	if n := g.connections.Load(); n != 1 || g.most > 3 || !slices.Equal(g.protos, []string{"HTTP/2.0"}) {
		t.Errorf("%d connections, at most %d requests at once on one, by %v; want 1, 1 to 3, HTTP/2.0", n, g.most, g.protos)
	}
}

// allClosed fails the test if a connection stays open.
func (g *gatewayServer) allClosed(t *testing.T) {
	t.Helper()
	eventually(t, "connections are left", func() bool { return g.closed.Load() == g.connections.Load() })
}

// answered waits until all connections are made.
func answered(t *testing.T, r *Reached) {
	t.Helper()
	for _, l := range r.src.spares {
		eventually(t, "no connection", func() bool { return l.current(TCP) != nil })
	}
}

func eventually(t *testing.T, not string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal(not)
		}
	}
}

// A connection that was made ahead of time is what is fetched over.
func TestReached(t *testing.T) {
	c := oneFile(t, 8*pieceLength)
	g := newGatewayServer(t, c, 0)
	r, err := Reach(g.upstream(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	answered(t, r)
	before := g.connections.Load()
	p := newPieces(c.m)
	other := g.upstream()
	other.URL += "/elsewhere" // is not what was connected to
	for _, u := range []Upstream{other, g.upstream()} {
		f, err := New(Config{Manifest: c.m, Pieces: p, Upstreams: []Upstream{u}, Reached: []*Reached{r}})
		if err != nil {
			t.Fatal(err)
		}
		if taken := len(f.sources[0].spares) > 0; taken != (u.URL == g.URL) {
			t.Errorf("%s: taken %v", u.URL, taken)
		}
		if u.URL != g.URL {
			continue
		}
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.check(t, true)
	if n := g.connections.Load(); before != 1 || n != before || g.heads != 1 {
		t.Errorf("%d connections ahead by %d requests, %d in the end; want one of each", before, g.heads, n)
	}
}

// What nobody wants is closed, whether or not it was connected by then.
func TestReachedClose(t *testing.T) {
	c := oneFile(t, pieceLength)
	g := newGatewayServer(t, c, 0)
	r, err := Reach(g.upstream(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Close()
	g.allClosed(t)
	if r, err = Reach(g.upstream(), nil); err != nil {
		t.Fatal(err)
	}
	answered(t, r)
	r.Close()
	g.allClosed(t)
	if n := g.connections.Load(); n < 1 {
		t.Errorf("%d connections", n)
	}
	if _, err := Reach(Upstream{Name: "x", URL: "ftp://x", Kind: Node}, nil); err == nil {
		t.Error("reached what has no URL for it")
	}
}

// Two fetchers never share what was connected to, nor does a later one find the first's.
func TestReachedIsOnesOnly(t *testing.T) {
	c := oneFile(t, pieceLength)
	g := newGatewayServer(t, c, 0)
	r, err := Reach(g.upstream(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answered(t, r)
	for i := range 2 {
		p := newPieces(c.m)
		f, err := New(Config{Manifest: c.m, Pieces: p, Upstreams: []Upstream{g.upstream()}, Reached: []*Reached{r}})
		if err != nil {
			t.Fatal(err)
		}
		r.Close() // is the fetcher's
		if taken := f.sources[0] == r.src; taken != (i == 0) || taken && len(r.src.spares) != 1 {
			t.Errorf("fetcher %d: taken %v with %d connections", i, taken, len(r.src.spares))
		}
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		if got := f.Stats().Upstreams[0].Bytes; got != c.m.Size() {
			t.Errorf("fetcher %d: %d bytes of %d", i, got, c.m.Size())
		}
	}
	g.allClosed(t)
}
