package fallback

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// source is an upstream in use.
type source struct {
	Upstream
	base     *url.URL
	guard    *Guard
	limiter  *rate.Limiter // nil: no cap
	sessions tls.ClientSessionCache

	// Shared with the connections' goroutines.
	bytes atomic.Int64 // of bodies
	tags  tags
	offer atomic.Uint32 // port of HTTP/3 by Alt-Svc; 0: none offered

	// The fetcher's loop owns the rest.
	health      health
	route       route
	port        uint16 // of HTTP/3, where it is not the URL's
	tcpErr      error  // why TCP was given up
	connections connections
	conns       []*conn
	meter       meter
	removed     string // why it was taken away; "" while it has not been
}

// chunk is the most that is read at once, and what a limiter is asked for.
const chunk = 64 << 10

func newSource(u Upstream, base *url.URL, guard *Guard) *source {
	// A node's gateway has HTTP/3 beside TLS; a web seed says so in Alt-Svc.
	s := &source{Upstream: u, base: base, guard: guard, sessions: tls.NewLRUClientSessionCache(0)}
	https := base.Scheme == "https"
	s.route = newRoute(https && (u.Kind == Node || u.PreferHTTP3), u.PreferHTTP3)
	s.connections = newConnections(s.route.current)
	if u.Rate > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(u.Rate), chunk)
	}
	return s
}

// gone reports whether nothing will come from it any more.
func (s *source) gone() bool { return s.removed != "" || s.health.final }

func (s *source) usable(now time.Time) bool { return s.removed == "" && s.health.usable(now) }

// learn takes note of what the connections found out.
func (s *source) learn() {
	if port := uint16(s.offer.Load()); port != 0 {
		s.port = port
		s.route.offered()
	}
}

// wanted is how many connections to use.
func (s *source) wanted() int {
	if s.health.suspect() {
		return 1
	}
	if s.Connections > 0 {
		return min(s.connections.n, s.Connections)
	}
	return s.connections.n
}

// why is what went wrong last; nil if nothing did.
func (s *source) why() error {
	if s.health.why == nil && s.tcpErr != nil {
		return fmt.Errorf("over TCP: %w", s.tcpErr)
	}
	return s.health.why
}

// tags remember by which version of a file a source answered. It is safe for
// concurrent use.
type tags struct {
	mu     sync.Mutex
	byFile map[int]string
}

// same notes the ETag of an answer and reports whether it is as before. Weak
// tags and none say nothing (RFC 9110 §8.8.1).
func (t *tags) same(file int, etag string) bool {
	if etag == "" || len(etag) > 256 || strings.HasPrefix(etag, "W/") {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.byFile[file]
	if t.byFile == nil {
		t.byFile = map[int]string{}
	}
	t.byFile[file] = etag
	return !ok || old == etag
}
