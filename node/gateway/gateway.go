package gateway

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// Bounds on requests under way.
const (
	defaultRequests          = 512
	defaultRequestsPerClient = 64
)

// Config is what a gateway works with.
type Config struct {
	Library Library // required

	// Egress bounds the payload that all transfers send together, in bytes a second.
	// 0 means no limit.
	Egress shoal.Rate

	// requests bounds the requests under way, requestsPerClient those of one client:
	// an IPv4 address or an IPv6 /64. Loopback addresses are no client but proxies,
	// which speak for many, and only the first bound holds for them. Above a bound
	// the answer is 503. 0 and less means the defaults.
	requests, requestsPerClient int

	// Log takes what happens; nil discards it.
	Log *slog.Logger
}

// Gateway is an HTTP handler. It is safe for concurrent use.
type Gateway struct {
	library   Library
	log       *slog.Logger
	mounted   *http.ServeMux
	admission *admission
	torrents  *admission // of those who take one; see serveTorrent
	egress    pace
	chunk     int // bytes that a transfer sends at a time
	chunkTime func(n int) time.Duration
	buffers   sync.Pool // of *[chunkSize]byte

	complaints     rate.Sometimes // bounds what is logged
	bytes, refused atomic.Int64
}

// New makes a gateway.
func New(cfg Config) *Gateway {
	g := &Gateway{
		library: cfg.Library, log: cfg.Log, mounted: http.NewServeMux(),
		torrents:   newAdmission(maxTorrents, maxTorrentsEach),
		complaints: rate.Sometimes{First: 10, Interval: 10 * time.Second},
		chunkTime:  chunkTime,
		buffers:    sync.Pool{New: func() any { return new([chunkSize]byte) }},
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if cfg.requests <= 0 {
		cfg.requests = defaultRequests
	}
	if cfg.requestsPerClient <= 0 {
		cfg.requestsPerClient = defaultRequestsPerClient
	}
	g.admission = newAdmission(cfg.requests, cfg.requestsPerClient)
	g.egress, g.chunk = newPace(cfg.Egress)
	g.mounted.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return g
}

// Mount serves other requests, by a pattern as of [http.ServeMux], within the
// bounds on requests. The handler has 30 s to answer unless it moves its write
// deadline. Mount is called before the gateway serves.
func (g *Gateway) Mount(pattern string, h http.Handler) { g.mounted.Handle(pattern, h) }

// Stats are a gateway's figures since it was made.
type Stats struct {
	Requests int   // under way now
	Bytes    int64 // payload sent
	Refused  int64 // requests answered with 503 because there were too many
}

// Stats returns the figures as they are now.
func (g *Gateway) Stats() Stats {
	return Stats{Requests: g.admission.underWay(), Bytes: g.bytes.Load(), Refused: g.refused.Load()}
}

// retryAfter is in seconds.
const retryAfter = 2

// ServeHTTP implements [http.Handler].
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(replyTime)) // a test's recorder has none
	leave, ok := g.admission.enter(r.RemoteAddr)
	if !ok {
		g.refused.Add(1)
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		refuse(w, http.StatusServiceUnavailable, "too many requests at the moment")
		return
	}
	defer leave()
	if under, ok := cutContents(r); ok {
		g.serveContents(w, r, under)
		return
	}
	g.mounted.ServeHTTP(w, r)
}

func (g *Gateway) buffer() *[chunkSize]byte { return g.buffers.Get().(*[chunkSize]byte) }
