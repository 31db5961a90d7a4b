package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// When the other transport is tried, and what follows from what it brought.
func TestRouteTries(t *testing.T) {
	type step struct {
		at        time.Duration
		try       Transport // "": none
		tcp, quic float64   // brought then; both 0: nothing is compared
		now       Transport // taken after that
	}
	for _, tt := range []struct {
		name  string
		http3 bool
		steps []step
	}{
		{"no HTTP/3", false, []step{{0, "", 0, 0, TCP}}},
		{"TCP fills the line", true, []step{{0, QUIC, 95, 5, TCP}, {time.Minute, "", 0, 0, TCP}, {quicAgain, QUIC, 0, 0, TCP}}},
		{"both share it", true, []step{{0, QUIC, 50, 50, TCP}}},
		{"HTTP/3 has somewhat more", true, []step{{0, QUIC, 42, 58, TCP}}},
		{"TCP is throttled", true, []step{
			{0, QUIC, 10, 90, QUIC}, {9 * time.Second, "", 0, 0, QUIC}, {10 * time.Second, TCP, 10, 90, QUIC},
			{29 * time.Second, "", 0, 0, QUIC}, {30 * time.Second, TCP, 10, 90, QUIC}, // rarer each time
		}},
		{"TCP was throttled", true, []step{{0, QUIC, 10, 90, QUIC}, {10 * time.Second, TCP, 50, 50, TCP}, {20 * time.Second, "", 0, 0, TCP}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoute(tt.http3)
			for i, s := range tt.steps {
				before := r.current
				if try := r.other(at(s.at)); try != s.try {
					t.Fatalf("step %d: tries %q, want %q", i, try, s.try)
				}
				if s.tcp+s.quic > 0 && r.compared(at(s.at), better(s.tcp, s.quic)) != (s.now != before) {
					t.Errorf("step %d: says that it moved, or not, against what it did", i)
				}
				if r.current != s.now {
					t.Errorf("step %d: takes %s, want %s", i, r.current, s.now)
				}
			}
		})
	}
}

// HTTP/3 that fails is left alone, and so is a transport while it cools down.
func TestRouteTriesNoneThatFailed(t *testing.T) {
	r := newRoute(true)
	r.leaveTCP(start)
	r.failed(start, QUIC, unreachable)
	if try := r.other(at(otherAgain - 1)); try != "" {
		t.Errorf("tries %s at once", try)
	}
	r = newRoute(true)
	r.notBetter(start)
	if r.other(at(quicAgain-1)) != "" || r.other(at(quicAgain)) != QUIC {
		t.Error("HTTP/3 is tried at the wrong time")
	}
}

// Only time in which both transports have work is compared, and not its beginning.
func TestTrialCompares(t *testing.T) {
	own := new(lane)
	s := &source{lanes: []*lane{new(lane)}}
	busy := &conn{seg: new(segment)}
	tr := &trial{lane: own, span: time.Second}
	now := start
	step := func(ownBytes, rest int64, ownBusy, restBusy bool) bool {
		now = now.Add(100 * time.Millisecond)
		own.got.Add(ownBytes)
		s.bytes.Add(ownBytes + rest)
		own.conns, s.lanes[0].conns = nil, nil
		if ownBusy {
			own.conns = []*conn{busy}
		}
		if restBusy {
			s.lanes[0].conns = []*conn{busy}
		}
		return tr.compare(now, s)
	}
	step(0, 0, true, true)
	for range 10 {
		step(1, 100, true, true) // finds out how fast it may send
	}
	for range 5 {
		step(7, 0, true, false)
		step(0, 0, true, true)
		step(0, 900, false, true)
		step(0, 0, true, true)
	}
	for i := range 10 {
		if done := step(30, 10, true, true); done != (i == 9) {
			t.Fatalf("over after %d steps: %v", i+1, done)
		}
	}
	if tr.own != 300 || tr.rest != 100 || tr.took != time.Second {
		t.Errorf("%d bytes beside %d in %v", tr.own, tr.rest, tr.took)
	}
}

// memory is a Paths.
type memory struct {
	mu    sync.Mutex
	known map[Transport]shoal.Rate
	of    string
}

func (m *memory) Goodput(string) map[Transport]shoal.Rate { return m.known }

func (m *memory) Brought(server string, t Transport, goodput shoal.Rate, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of = server
	m.known[t] = goodput
	if err != nil {
		m.known[t] = 0
	}
}

// A fetch begins by what others found out.
func TestRecall(t *testing.T) {
	c := oneFile(t, 1<<20)
	for _, tt := range []struct {
		name  string
		known map[Transport]shoal.Rate
		kind  Kind
		want  Transport
		try   Transport // as soon as it is known what that brings
	}{
		{"nothing", nil, Node, TCP, QUIC},
		{"HTTP/3 is no better", map[Transport]shoal.Rate{TCP: 10, QUIC: 15}, Node, TCP, ""},
		{"HTTP/3 is better", map[Transport]shoal.Rate{TCP: 10, QUIC: 16}, Node, QUIC, TCP},
		{"HTTP/3 fails", map[Transport]shoal.Rate{QUIC: 0}, Node, TCP, ""},
		{"TCP fails", map[Transport]shoal.Rate{TCP: 0}, Node, QUIC, TCP},
		{"both fail", map[Transport]shoal.Rate{TCP: 0, QUIC: 0}, Node, TCP, ""},
		{"a web seed that has not offered it", map[Transport]shoal.Rate{TCP: 10, QUIC: 16}, WebSeed, TCP, ""},
	} {
		f, err := New(Config{
			Manifest: c.m, Pieces: newPieces(c.m), Paths: &memory{known: tt.known},
			Upstreams: []Upstream{{Name: "u", Kind: tt.kind, URL: "https://192.0.2.1/f"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := f.sources[0].route
		if r.current != tt.want || f.sources[0].connections.transport != tt.want || r.other(time.Now()) != tt.try {
			t.Errorf("%s: takes %s and tries %q, want %s, %q", tt.name, r.current, r.other(time.Now()), tt.want, tt.try)
		}
	}
}

// twoWays is a node that has HTTP/3 beside TCP, at the same port.
func twoWays(t *testing.T, overTCP, overQUIC *origin) Upstream {
	t.Helper()
	cert, pool := certificate(t)
	for range 10 { // another program may have the port
		at := ":" + strconv.Itoa(http3Server(t, overQUIC, cert))
		l, err := tls.Listen("tcp", "127.0.0.1"+at, &tls.Config{Certificates: []tls.Certificate{cert}})
		if err == nil {
			t.Cleanup(serve(l, overTCP))
			return Upstream{Name: "u", Kind: Node, URL: "https://localhost" + at, TLS: &tls.Config{RootCAs: pool}}
		}
	}
	t.Fatal("no port for TCP and UDP")
	return Upstream{}
}

// Where TCP is slow and HTTP/3 is not, a fetch goes over to that within a few seconds and fetches
// nothing twice; where it is the other way round, it stays. The next fetch knows it (M7).
func TestTrial(t *testing.T) {
	for _, tt := range []struct {
		name      string
		size      int
		tcp, quic time.Duration // between two chunks
		want      Transport
	}{
		{"TCP is slow", 16 << 20, 40 * time.Millisecond, time.Millisecond, QUIC},
		{"HTTP/3 is slow", 24 << 20, 5 * time.Millisecond, 80 * time.Millisecond, TCP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := oneFile(t, tt.size)
			p, paths := newPieces(c.m), &memory{known: map[Transport]shoal.Rate{}}
			overTCP, overQUIC := &origin{c: c, pause: tt.tcp}, &origin{c: c, pause: tt.quic}
			f, err := New(Config{
				Manifest: c.m, Pieces: p, WebSeeds: loopback, Paths: paths,
				Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			if err != nil {
				t.Fatal(err)
			}
			u := twoWays(t, overTCP, overQUIC)
			add(t, f, u)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := f.Run(ctx); err != nil {
				t.Fatal(err)
			}
			p.check(t, true)
			st := f.Stats()
			t.Logf("%v over TCP, %v over HTTP/3, %v wasted; %v", shoal.Size(overTCP.sent.Load()), shoal.Size(overQUIC.sent.Load()), shoal.Size(st.Wasted), paths.known)
			if got := st.Upstreams[0]; got.Transport != tt.want || overQUIC.sent.Load() == 0 || st.Wasted > 4*pieceLength {
				t.Errorf("%+v, %d bytes wasted", got, st.Wasted)
			}
			if u.URL != paths.of || better(float64(paths.known[TCP]), float64(paths.known[QUIC])) != tt.want {
				t.Errorf("of %s: %v", paths.of, paths.known)
			}
		})
	}
}

// An upstream is not to blame for a trial, unless it sent what does not verify.
func TestTrialFails(t *testing.T) {
	c := oneFile(t, 1<<20)
	for _, tt := range []struct {
		kind faultKind
		want State
	}{{unreachable, Active}, {refused, Active}, {slow, Active}, {corrupted, Benched}} {
		f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{{Name: "u", Kind: Node, URL: "https://192.0.2.1"}}})
		if err != nil {
			t.Fatal(err)
		}
		s := f.sources[0]
		s.trial = &trial{lane: &lane{by: QUIC}}
		s.furnish(s.trial.lane, f.cfg.Limits)
		c := s.conns[0]
		now := time.Now()
		f.failed(now, c, QUIC, &fault{kind: tt.kind, err: errors.New("failed")})
		if got := s.stats(now).State; got != tt.want || s.trial != nil || len(s.conns) > 0 {
			t.Errorf("kind %d: %s, %d conns", tt.kind, got, len(s.conns))
		}
		if tt.want == Active && s.route.other(now) != "" {
			t.Errorf("kind %d: is tried again at once", tt.kind)
		}
	}
}

// A trial whose ranges are all that is waited for is over, and what it was bringing is others'.
func TestTrialHoldsNothingUp(t *testing.T) {
	c := oneFile(t, 1<<20)
	f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{{Name: "u", Kind: Node, URL: "https://192.0.2.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	s, now := f.sources[0], time.Now()
	s.trial = &trial{lane: &lane{by: QUIC}, ready: true}
	s.furnish(s.trial.lane, f.cfg.Limits)
	trying := s.conns[0]
	var why error
	trying.seg, trying.cancel = newSegment(c.m, 3, 5), func(err error) { why = err }
	f.hedge(t.Context(), now, true, true)
	if s.trial == nil || why != nil {
		t.Fatal("over while there is more to fetch")
	}
	f.hedge(t.Context(), now, false, true)
	if s.trial != nil || why != errTried || s.route.other(now) != "" {
		t.Errorf("goes on (%v), or is tried again at once", why)
	}
	f.busy++
	if err := f.settle(now, outcome{c: trying, transport: QUIC, err: why}); err != nil {
		t.Fatal(err)
	}
	if len(f.queue) != 1 || len(s.conns) > 0 || s.stats(now).State != Active {
		t.Errorf("%d segments are left for others, %d conns, %+v", len(f.queue), len(s.conns), s.stats(now))
	}
}
