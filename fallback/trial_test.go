package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
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
	s.trial = tr
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

// comparing is a Fetcher of one upstream, with so many lanes that have ranges under way, and a trial of
// the other transport that has connected. stopped counts the ranges that were broken off.
func comparing(t *testing.T, current Transport, lanes int) (f *Fetcher, s *source, stopped *int) {
	t.Helper()
	c := oneFile(t, 4*pieceLength*(lanes+1))
	f, err := New(Config{
		Manifest: c.m, Pieces: newPieces(c.m), Paths: &memory{known: map[Transport]shoal.Rate{}},
		Upstreams: []Upstream{{Name: "u", Kind: Node, URL: "https://192.0.2.1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, stopped = f.sources[0], new(int)
	s.route.current = current
	s.connections = newConnections(current, Node)
	s.connections.n, s.connections.rtt, s.connections.before = lanes, 20*time.Millisecond, 1e6
	by := TCP
	if current == TCP {
		by = QUIC
	}
	s.trial = &trial{lane: &lane{by: by}, ready: true, span: trialSpan, until: at(time.Hour)}
	s.furnish(s.trial.lane, f.cfg.Limits)
	s.fit(lanes, f.cfg.Limits)
	for i, l := range append([]*lane{s.trial.lane}, s.lanes...) {
		c := l.conns[0]
		c.seg = newSegment(f.cfg.Manifest, 4*i, 4)
		c.cancel = func(err error) {
			if err == errTried {
				*stopped++
			}
		}
		f.busy++
	}
	return f, s, stopped
}

// A transport by which nothing comes any more, while the trial brings something, is left: what it
// brought before doesn't count. One that only paused, or shares an outage, is not.
func TestTrialOutlivesTheOther(t *testing.T) {
	const rate = 25e3 // bytes a tick: as much as before, which is no reason to move
	both := func(time.Duration) bool { return true }
	for _, tt := range []struct {
		name      string
		own, rest func(time.Duration) bool // whether something comes then
		want      Transport
		within    time.Duration
	}{
		{"both go on", both, both, TCP, 2 * time.Second},
		{"TCP is dead from the beginning", both, func(time.Duration) bool { return false }, QUIC, 600 * time.Millisecond},
		{"TCP dies", both, func(d time.Duration) bool { return d < 300*time.Millisecond }, QUIC, 900 * time.Millisecond},
		{"TCP dies just before the end", both, func(d time.Duration) bool { return d < 950*time.Millisecond }, QUIC, 1550 * time.Millisecond},
		{"TCP pauses", both, func(d time.Duration) bool { return d < 300*time.Millisecond || d > 700*time.Millisecond }, TCP, 2 * time.Second},
		{"an outage, and HTTP/3 is back first",
			func(d time.Duration) bool { return d < 300*time.Millisecond || d > 2*time.Second },
			func(d time.Duration) bool { return d < 300*time.Millisecond || d > 2200*time.Millisecond }, TCP, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, s, _ := comparing(t, TCP, 2)
			l := s.trial.lane
			var d time.Duration
			for ; s.trial != nil && d <= tt.within; d += tickInterval {
				if tt.own(d) {
					l.got.Add(rate)
					s.bytes.Add(rate)
				}
				if tt.rest(d) {
					s.bytes.Add(rate)
				}
				f.try(at(d), s)
			}
			if s.trial != nil || s.route.current != tt.want {
				t.Errorf("after %v: by %s, over: %v; want %s", d, s.route.current, s.trial == nil, tt.want)
			}
			known, ok := f.cfg.Paths.Goodput("")[TCP]
			if failed := ok && known == 0; failed != (tt.want == QUIC) {
				t.Errorf("remembers that TCP failed: %v", failed)
			}
		})
	}
}

// TCP that brings next to nothing beside HTTP/3 isn't kept for what it brought before.
func TestTrialOfWhatFaded(t *testing.T) {
	f, s, _ := comparing(t, TCP, 1)
	s.trial.took, s.trial.own, s.trial.rest = time.Second, 900e3, 20e3
	f.compared(start, s)
	if s.route.current != QUIC {
		t.Error("stays with TCP")
	}
}

// The lane of a trial that wins takes the place of all others, whose ranges are then to be had again;
// it is not what there is one too many of, even if it has nothing to do.
func TestTrialTakesOver(t *testing.T) {
	for _, from := range []Transport{TCP, QUIC} {
		for _, idle := range []bool{false, true} {
			const lanes = 4
			f, s, stopped := comparing(t, from, lanes)
			l := s.trial.lane
			if idle {
				f.busy--
				l.conns[0].seg = nil
			}
			s.trial.took, s.trial.own, s.trial.rest = time.Second, 9e6, 100e3
			f.compared(start, s)
			if s.route.current == from || *stopped != lanes || len(s.lanes) != 1 || s.lanes[0] != l {
				t.Fatalf("from %s: by %s, %d ranges stopped, lanes %v", from, s.route.current, *stopped, s.lanes)
			}
			for _, c := range slices.Clone(s.conns) {
				if c.lane != l && c.busy() {
					if err := f.settle(start, outcome{c: c, transport: from, err: errTried}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(f.queue) != lanes || len(s.conns) != len(l.conns) || s.stats(start).State != Active {
				t.Errorf("from %s: %d segments are left for others, %d conns, %+v", from, len(f.queue), len(s.conns), s.stats(start))
			}
			s.fit(s.open(), f.cfg.Limits)
			if s.lanes[0] != l || idle && s.running(start, l.conns[0]) >= s.wanted() {
				t.Errorf("from %s: what won stands by, or is gone", from)
			}
		}
	}
}

// A trial begins only where there is something to compare it with, and what it brings is no sign that
// TCP works.
func TestTrialBeside(t *testing.T) {
	f, s, _ := comparing(t, QUIC, 1)
	f.dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
	trying, seg := s.trial, s.lanes[0].conns[0].seg
	s.trial, s.lanes[0].conns[0].seg = nil, nil
	if f.try(start, s); s.trial != nil {
		t.Error("tries with nothing to fetch")
	}
	s.lanes[0].conns[0].seg = seg
	if f.try(start, s); s.trial == nil {
		t.Error("doesn't try")
	}
	s.endTrial()

	s.route.tryFrom = at(time.Hour)
	s.route.current, trying.lane.by, s.trial = TCP, QUIC, trying
	for i, tt := range []struct{ own, rest int64 }{{100, 0}, {100, 1}, {100, 0}} {
		now := at(time.Duration(i+1) * tickInterval)
		trying.lane.got.Add(tt.own)
		s.bytes.Add(tt.own + tt.rest)
		f.tick(now)
		if heard := s.route.alive.Equal(now); heard != (tt.rest > 0) {
			t.Errorf("tick %d: heard of TCP: %v", i, heard)
		}
	}
	before := s.route.alive
	s.endTrial()
	if f.tick(at(time.Second)); !s.route.alive.Equal(before) {
		t.Error("what the trial brought is taken for TCP's")
	}
}

// A connection that is being made serves whoever goes by the same transport, whatever it may take.
func TestLaneKeepsALinkInTheMaking(t *testing.T) {
	l := new(lane)
	made := 0
	for i, tt := range []struct {
		h    how
		made int
	}{
		{how{transport: QUIC, connect: time.Second}, 1},
		{how{transport: QUIC, connect: 5 * time.Second}, 1},
		{how{transport: QUIC, connect: time.Second, port: 7}, 2},
		{how{transport: TCP, connect: time.Second}, 3},
		{how{transport: TCP, connect: time.Second, http2: true}, 4},
	} {
		l.use(tt.h, func() *link {
			made++
			return &link{how: tt.h, close: func() {}}
		})
		if made != tt.made {
			t.Errorf("step %d: %d links, want %d", i, made, tt.made)
		}
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
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
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
		kind  faultKind
		want  State
		known bool // to other fetches, as the transport's
	}{
		{unreachable, Active, true}, {stalled, Active, true}, {slow, Active, true}, {protocol, Active, true},
		{refused, Active, false}, {busy, Active, false}, {changed, Active, false}, {broken, Active, false}, {corrupted, Benched, false},
	} {
		paths := &memory{known: map[Transport]shoal.Rate{}}
		f, err := New(Config{Paths: paths, Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{{Name: "u", Kind: Node, URL: "https://192.0.2.1"}}})
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
		if _, known := paths.known[QUIC]; known != tt.known {
			t.Errorf("kind %d: known to others as failed: %v", tt.kind, known)
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
