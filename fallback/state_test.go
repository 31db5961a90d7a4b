package fallback

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// Goodput as a function of the connections; what connections settles on.
func TestConnections(t *testing.T) {
	const link, share = 10e6, 1e6
	for _, tt := range []struct {
		name      string
		transport Transport
		kind      Kind
		rtt       time.Duration
		goodput   func(n int) float64
		least     int
		most      int // at any time
		settled   int
	}{
		{"TCP, near, one fills the link", TCP, WebSeed, 20 * time.Millisecond, func(int) float64 { return link }, 1, 3, 2},
		{"BBR, near, one fills the link", TCP, Node, 20 * time.Millisecond, func(int) float64 { return link }, 1, 1, 1},
		{"BBR, far, one fills the link", TCP, Node, 100 * time.Millisecond, func(int) float64 { return link }, 1, 1, 1},
		{"BBR, refused, so that each adds a share", TCP, Node, 20 * time.Millisecond, func(n int) float64 { return float64(n) * share }, 1, 8, 8},
		{"TCP, far, one fills the link", TCP, WebSeed, 100 * time.Millisecond, func(int) float64 { return link }, 1, 5, 4},
		{"TCP, each adds a share", TCP, WebSeed, 20 * time.Millisecond, func(n int) float64 { return float64(n) * share }, 1, 8, 8},
		{"TCP, five fill the link", TCP, WebSeed, 20 * time.Millisecond, func(n int) float64 { return min(float64(n), 5) * share }, 1, 6, 5},
		{"TCP, gains below a tenth", TCP, WebSeed, 20 * time.Millisecond, func(n int) float64 { return (1 + 0.05*float64(n)) * share }, 1, 3, 2},
		{"QUIC, one fills the link", QUIC, Node, 20 * time.Millisecond, func(int) float64 { return link }, 1, 5, 4},
		{"QUIC, each adds a share", QUIC, Node, 100 * time.Millisecond, func(n int) float64 { return float64(n) * share }, 1, 16, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConnections(tt.transport, tt.kind)
			bytes, most := 0.0, 0
			counts := map[int]int{}
			const step = 100 * time.Millisecond
			for now := time.Duration(0); now < 2*time.Minute; now += step {
				if now == time.Second {
					c.connected(tt.rtt)
				}
				if now < time.Second && c.n != 1 {
					t.Fatalf("%d connections before the first was up", c.n)
				}
				c.observe(at(now), int64(bytes), true)
				bytes += tt.goodput(c.n) * step.Seconds()
				most = max(most, c.n)
				if now > time.Minute {
					counts[c.n]++
				}
			}
			usual, n := 0, 0
			for k, count := range counts {
				if count > n {
					usual, n = k, count
				}
			}
			if usual != tt.settled || most != tt.most {
				t.Errorf("settled on %d, at most %d, want %d and %d", usual, most, tt.settled, tt.most)
			}
		})
	}
	c := newConnections(TCP, WebSeed)
	c.connected(time.Millisecond)
	for now := time.Duration(0); now < time.Minute; now += 100 * time.Millisecond {
		c.observe(at(now), int64(now), false)
	}
	if c.n != 2 {
		t.Errorf("%d connections though there was no work for 2", c.n)
	}
}

// While goodput rises by itself, a connection more would get the praise for it.
func TestConnectionsWaitForTheStart(t *testing.T) {
	c := newConnections(TCP, WebSeed)
	c.connected(time.Millisecond)
	var bytes, speed float64 = 0, 1e5
	for now := time.Duration(0); now < 20*time.Second; now += 100 * time.Millisecond {
		c.observe(at(now), int64(bytes), true)
		if c.n != 2 {
			t.Fatalf("%d connections after %s", c.n, now)
		}
		speed *= 1.02
		bytes += speed / 10
	}
}

func TestRoute(t *testing.T) {
	type event struct {
		at    time.Duration
		on    Transport
		kind  faultKind // 0: finished at rate
		rate  float64
		again bool
		now   Transport // taken after it
	}
	for _, tt := range []struct {
		name   string
		http3  bool
		events []event
	}{
		{"no HTTP/3: faults stay faults", false, []event{
			{0, TCP, unreachable, 0, false, TCP}, {0, TCP, stalled, 0, false, TCP},
		}},
		{"TCP refused", true, []event{{0, TCP, unreachable, 0, true, QUIC}}},
		{"both refused", true, []event{
			{0, TCP, unreachable, 0, true, QUIC}, {time.Second, QUIC, unreachable, 0, false, TCP},
			{2 * time.Second, TCP, unreachable, 0, false, TCP},
			{40 * time.Second, TCP, unreachable, 0, true, QUIC}, // HTTP/3 gets another chance
		}},
		{"silence, and TCP connects no more", true, []event{
			{0, TCP, stalled, 0, true, TCP}, {time.Second, TCP, unreachable, 0, true, QUIC},
		}},
		{"silence again and again", true, []event{
			{0, TCP, stalled, 0, true, TCP}, {0, TCP, stalled, 0, true, TCP}, {0, TCP, stalled, 0, true, QUIC},
		}},
		{"silences with ranges in between", true, []event{
			{0, TCP, stalled, 0, true, TCP}, {0, TCP, stalled, 0, true, TCP}, {0, TCP, 0, 1, false, TCP},
			{0, TCP, stalled, 0, true, TCP}, {0, TCP, stalled, 0, true, TCP},
		}},
		{"TCP's stragglers", true, []event{
			{0, TCP, unreachable, 0, true, QUIC}, {time.Second, TCP, 0, 100, false, QUIC},
			{2 * time.Second, TCP, unreachable, 0, true, QUIC}, {3 * time.Second, TCP, stalled, 0, true, QUIC},
		}},
		{"HTTP/2 only", false, []event{{0, TCP, protocol, 0, true, TCP}, {0, TCP, protocol, 0, false, TCP}}},
		{"a status is no reason to change", true, []event{{0, TCP, busy, 0, false, TCP}, {0, TCP, broken, 0, false, TCP}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoute(tt.http3)
			for i, e := range tt.events {
				if e.kind == 0 {
					r.finished(e.on, e.rate)
				} else if again := r.failed(at(e.at), e.on, e.kind); again != e.again {
					t.Errorf("event %d: another way %v, want %v", i, again, e.again)
				}
				if r.current != e.now {
					t.Errorf("event %d: by %s, want %s", i, r.current, e.now)
				}
			}
		})
	}
}

// While TCP brings something, a connection that fails is no reason to leave it.
func TestRouteStaysWithWhatWorks(t *testing.T) {
	r := newRoute(true)
	r.heard(start)
	if !r.failed(at(aliveFor/2), TCP, unreachable) || r.current != TCP {
		t.Errorf("left for %s while TCP was alive", r.current)
	}
	if !r.failed(at(aliveFor), TCP, unreachable) || r.current != QUIC {
		t.Errorf("stayed with %s", r.current)
	}
}

// Bounds are short only where HTTP/3 could take over, and the takeover is within 3 s.
func TestRouteBounds(t *testing.T) {
	l := Limits{}.withDefaults()
	r := newRoute(true)
	connect, stall := r.bounds(start, TCP, 60*time.Millisecond, &l)
	if connect >= 3*time.Second || connect < 2*time.Second {
		t.Errorf("%s to connect: more than 3 s, or less than a lost SYN takes", connect)
	}
	r.failed(start, TCP, stalled)
	connect, longer := r.bounds(start, TCP, 60*time.Millisecond, &l)
	if longer != 2*stall {
		t.Errorf("after a silence: %s, want %s", longer, 2*stall)
	}
	if _, far := r.bounds(start, TCP, 200*time.Millisecond, &l); far < 2*2*time.Second {
		t.Errorf("a round trip of 200 ms, after a silence: %s", far)
	}
	if connect+stall >= 3*time.Second {
		t.Errorf("silence of %s and %s to connect: more than 3 s", stall, connect)
	}
	if connect, stall := r.bounds(start, QUIC, 60*time.Millisecond, &l); connect != l.Connect || stall != l.Stall {
		t.Errorf("HTTP/3: %s and %s", connect, stall)
	}
	plain := newRoute(false)
	if connect, stall := plain.bounds(start, TCP, 60*time.Millisecond, &l); connect != l.Connect || stall != l.Stall {
		t.Errorf("without HTTP/3: %s and %s", connect, stall)
	}
}

func TestHealth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const backoff = 400 * time.Millisecond
	var h health
	if !h.usable(start) || h.suspect() {
		t.Error("not in good health to begin with")
	}
	temporary := &fault{kind: broken, err: errors.New("broken")}
	now := start
	for i := range 8 {
		h.fail(now, temporary, backoff, rng)
		nominal := backoff << min(i, maxDoublings)
		d := h.until.Sub(now)
		if d < nominal*3/4 || d > nominal*5/4 {
			t.Errorf("failure %d: %s, want %s ± 1/4", i, d, nominal)
		}
		until := h.until
		h.fail(now.Add(d/2), temporary, backoff, rng) // another connection's
		if h.until != until || h.failures != i+1 || !h.suspect() {
			t.Errorf("failure %d: a second one during the cool-down counts: %+v", i, h)
		}
		if h.usable(until.Add(-1)) || !h.usable(until) {
			t.Errorf("failure %d: usable at the wrong time", i)
		}
		now = until
	}
	h.succeed()
	if h != (health{}) { // no reason is left, nor its time
		t.Errorf("after a success: %+v", h)
	}
	h.fail(now, &fault{kind: busy, err: errors.New("busy"), after: 20 * time.Second}, backoff, rng)
	if h.until != now.Add(20*time.Second) {
		t.Errorf("Retry-After of 20 s: until %s", h.until.Sub(now))
	}
	h.fail(now, &fault{kind: busy, err: errors.New("busy"), after: time.Hour}, backoff, rng)
	if h.until != now.Add(maxRetryAfter) {
		t.Errorf("Retry-After of an hour: until %s", h.until.Sub(now))
	}
	final := &fault{kind: corrupted, err: errors.New("corrupt")}
	h.fail(now, final, backoff, rng)
	h.succeed()
	h.fail(now, temporary, backoff, rng)
	if h.usable(now.Add(time.Hour)) || !errors.Is(h.why, final.err) {
		t.Errorf("benched: %+v", h)
	}
}

func TestTags(t *testing.T) {
	var tags tags
	long := `"` + strings.Repeat("x", 4096)
	for i, step := range []struct {
		file int
		etag string
		same bool
	}{
		{0, "", true}, {0, `"a"`, true}, {0, `"a"`, true}, {1, `"b"`, true}, // each file has its own
		{0, `W/"c"`, true}, {0, "", true}, {0, `"a"`, true}, // these say nothing
		{0, `"d"`, false}, {0, `"d"`, true}, {1, `"b"`, true},
		{2, long + `1"`, true}, {2, long + `2"`, false}, {2, long + `2"`, true},
	} {
		if got := tags.same(step.file, step.etag); got != step.same {
			t.Errorf("step %d: same %v, want %v", i, got, step.same)
		}
	}
}

func TestFloor(t *testing.T) {
	f := floor{rate: 1000, window: 5 * time.Second}
	for i, step := range []struct {
		n    int
		d    time.Duration
		want verdict
	}{
		{4999, 0, undecided}, {1, 0, good}, // fast
		{1000, time.Second, undecided}, {1000, time.Second, undecided}, {1000, time.Second, undecided}, {1000, time.Second, undecided},
		{1000, time.Second, good}, // just
		{999, time.Second, undecided}, {3900, 3 * time.Second, undecided}, {50, time.Second, tooSlow},
		{1, time.Second, undecided}, // begins anew
	} {
		if got := f.add(step.n, step.d); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
}

// A range's first half may have been spent on finding out how fast to send.
func TestCruise(t *testing.T) {
	const MiB = 1 << 20
	for name, tt := range map[string]struct {
		half  time.Duration // when half of it had come
		bytes int64         // of 4 MiB
		took  time.Duration
		want  float64 // MiB/s
	}{
		"slow at first":               {3 * time.Second, 4 * MiB, 4 * time.Second, 2},
		"even":                        {2 * time.Second, 4 * MiB, 4 * time.Second, 1},
		"slow in the end":             {time.Second, 4 * MiB, 4 * time.Second, 1},
		"the second half all at once": {4 * time.Second, 4 * MiB, 4 * time.Second, 1},
		"almost all at once":          {3900 * time.Millisecond, 4 * MiB, 4 * time.Second, maxCruise},
		"cut short after the half":    {2 * time.Second, 2*MiB + 1, 2100 * time.Millisecond, 2 / 2.1},
		"cut short before":            {0, MiB, time.Second, 1},
	} {
		var c cruise
		if tt.half > 0 {
			c.mark(at(tt.half), 2*MiB)
			c.mark(at(tt.took), tt.bytes)
		}
		if got := c.rate(at(tt.took), tt.bytes, tt.took) / MiB; math.Abs(got-tt.want) > 1e-3 {
			t.Errorf("%s: %.3f MiB/s, want %.3f", name, got, tt.want)
		}
	}
}

func TestRangeSize(t *testing.T) {
	for rate, want := range map[float64]int64{0: firstRange, 1e3: minRange, 1 << 20: 4 << 20, 1e9: maxRange} {
		if got := rangeSize(rate, rangeTime); got != want {
			t.Errorf("%g: %d, want %d", rate, got, want)
		}
	}
}

func TestChooseHedge(t *testing.T) {
	const MiB, s = 1 << 20, time.Second
	slowTail := outstanding{age: 2 * s, pace: MiB / 20, left: MiB, tail: MiB / 2, piece: MiB / 2}
	slowest := outstanding{age: 2 * s, pace: 0.5, left: MiB, tail: MiB / 2, piece: MiB / 2}
	for _, tt := range []struct {
		name   string
		ranges []outstanding
		rate   float64
		want   int // -1: none
	}{
		{"nothing under way", nil, MiB, -1},
		{"as fast as the helper", []outstanding{{age: s, pace: MiB, left: MiB, tail: MiB, piece: MiB}}, MiB, -1},
		{"slow", []outstanding{slowTail}, MiB, 0},
		{"slow, but the helper is slower", []outstanding{slowTail}, MiB / 100, -1},
		{"the slower of two", []outstanding{slowTail, slowest}, MiB, 1},
		{"too young to tell", []outstanding{{age: s / 10, left: MiB, tail: MiB, piece: MiB}}, MiB, -1},
		{"far, and too young to tell", []outstanding{{age: 2 * s, rtt: s / 5, pace: MiB / 20, left: MiB, tail: MiB, piece: MiB}}, MiB, -1},
		{"helped already", []outstanding{{age: 2 * s, settled: true, left: MiB, piece: MiB}}, MiB, -1},
		{"done before help could be", []outstanding{{age: 2 * s, pace: MiB / 2, left: MiB / 100, piece: MiB}}, MiB, -1},
		{"silent, a helper of unknown speed", []outstanding{{age: 10 * s, left: MiB, piece: MiB}}, 0, 0},
	} {
		i, ok := chooseHedge(tt.ranges, tt.rate)
		if !ok {
			i = -1
		}
		if i != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, i, tt.want)
		}
	}
}
