package fallback

import (
	"crypto/tls"
	"fmt"
	"hash/maphash"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// source is an upstream in use.
type source struct {
	Upstream
	base     *url.URL
	guard    *Guard
	sessions tls.ClientSessionCache

	// Shared with the connections' goroutines.
	bytes atomic.Int64 // of bodies
	tags  tags
	offer atomic.Uint32 // port of HTTP/3 by Alt-Svc; 0: none offered
	most  atomic.Int64  // connections; 0: no bound

	// The fetcher's loop owns the rest.
	health      health
	route       route
	port        uint16 // of HTTP/3, where it is not the URL's
	tcpErr      error  // why TCP was given up
	connections connections
	lanes       []*lane
	conns       []*conn // the lanes'
	spares      []*lane // made ahead of time, for the first ones
	trial       *trial  // nil: none is under way
	recalled    bool    // what other fetches know has been asked
	hedging     bool    // one more connection is there for ranges that fell behind
	meter       meter
	seen        int64 // bytes by the last tick, but for a trial's
}

// chunk is the most that is read at once, and what the limiter is asked for.
const chunk = 64 << 10

func newSource(u Upstream, base *url.URL, guard *Guard) *source {
	// A node's gateway has HTTP/3 beside TLS; a web seed says so in Alt-Svc.
	s := &source{Upstream: u, base: base, guard: guard, sessions: tls.NewLRUClientSessionCache(0)}
	s.route = newRoute(base.Scheme == "https" && u.Kind == Node)
	s.connections = newConnections(s.route.current, s.Kind)
	s.most.Store(int64(u.Connections))
	return s
}

// learn takes note of what the connections found out.
func (s *source) learn() {
	for _, l := range s.lanes {
		if rtt := l.rtt(); rtt > 0 {
			s.connections.connected(rtt)
		}
	}
	if port := uint16(s.offer.Load()); port != 0 {
		s.port = port
		s.route.offered()
	}
}

// wanted is how many lanes to have ranges on their way over. Until the first has come, all
// connections find out at the same time how fast they may send; but those by BBR
// would take each other's share for all there is, and stay slow for seconds.
func (s *source) wanted() int {
	if s.route.rate[s.route.current] == 0 && s.connections.rtt > 0 && !s.connections.bbr {
		return s.open()
	}
	if s.health.suspect() {
		return 1
	}
	return s.bound(s.connections.n)
}

// open is how many lanes to have for that: one more where ranges don't overlap on
// them, so that the next one
// is asked for before another one's last byte has come, and one for a hedge.
func (s *source) open() int {
	n := s.connections.n
	if !s.overlaps() {
		n++
	}
	if n = s.bound(n); s.health.suspect() {
		n = 1
	}
	if s.hedging {
		n++
	}
	return n
}

// overlaps reports whether the upstream can be asked for a range while another is
// still coming over the same connection.
func (s *source) overlaps() bool { return s.Kind == Node && s.base.Scheme == "https" }

// rangeTime is how long a range should take. Those that overlap are together longer than what is
// asked for ahead.
func (s *source) rangeTime() time.Duration {
	if s.overlaps() {
		return max(sharedTime, sharedRTTs*s.connections.rtt*3/4)
	}
	return rangeTime
}

// depth is how many conns a lane has. Where ranges overlap, one is coming and the next one asked
// for; beside a third no short one, such as the end of a lease, leaves the sender without work.
func (s *source) depth() int {
	if s.overlaps() {
		return 3
	}
	return 1
}

func (s *source) bound(n int) int {
	if most := s.most.Load(); most > 0 {
		return min(n, int(most))
	}
	return n
}

// running counts the lanes with a range under way that will not have come by the time that
// an answer to next's request would; not a trial's. However many ranges were asked for ahead on
// one, the others are to have work too.
func (s *source) running(now time.Time, next *conn) (n int) {
	var counted *lane // its conns follow each other
	for _, c := range s.conns {
		if c.lane != counted && c.busy() && c.lane.by == "" && !c.ending(now, next) {
			n, counted = n+1, c.lane
		}
	}
	return n
}

// busy is how many lanes have a range under way.
func (s *source) busy() (n int) {
	for _, l := range s.lanes {
		if !l.idle() {
			n++
		}
	}
	return n
}

// why is what went wrong last; nil if nothing did.
func (s *source) why() error {
	if s.health.why == nil && s.tcpErr != nil {
		return fmt.Errorf("over TCP: %w", s.tcpErr)
	}
	return s.health.why
}

// tags remember by which version of a file a source answered: a hash of its
// ETag, so that long ones cost no memory. It is safe for concurrent use.
type tags struct {
	mu     sync.Mutex
	seed   maphash.Seed
	byFile map[int]uint64
}

// same notes the ETag of an answer and reports whether it is as before. Weak
// tags and none say nothing (RFC 9110 §8.8.1).
func (t *tags) same(file int, etag string) bool {
	if etag == "" || strings.HasPrefix(etag, "W/") {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byFile == nil {
		t.seed, t.byFile = maphash.MakeSeed(), map[int]uint64{}
	}
	tag := maphash.String(t.seed, etag)
	old, ok := t.byFile[file]
	t.byFile[file] = tag
	return !ok || old == tag
}
