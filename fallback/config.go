package fallback

import (
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// Config is what a [Fetcher] is made from.
type Config struct {
	Manifest  *shoal.Manifest // required
	Pieces    Pieces          // required
	Upstreams []Upstream

	// Standby has Run go on, with its connections, while there is nothing to
	// claim: there will be more. [Fetcher.Quiet] says when it need not ask.
	Standby bool

	// Reached are connections made ahead of time. Those to Upstreams of the same name, URL
	// and kind that no other Fetcher has are used, and the Fetcher's from then on; the
	// others are left alone.
	Reached []*Reached

	// Paths remembers what transports brought; nil: nobody does beyond this Fetcher.
	Paths Paths

	// WebSeeds guards the connections to web seeds, redirects included.
	WebSeeds Guard
	// Nodes guards those to nodes; nil: they may have any address.
	Nodes *Guard

	// Limiter is waited for with every byte; it may be shared with others.
	// nil: none.
	Limiter *rate.Limiter

	Limits Limits
	Log    *slog.Logger // nil: none
}

// Limits are the bounds on time and speed; where one is zero or negative the
// default holds.
type Limits struct {
	// Connect bounds a connection's establishment, TLS included. Default 5 s.
	Connect time.Duration
	// Answer bounds the time from a request to the end of its answer's header:
	// a gateway may have to wait for the first piece. Default 10 s.
	Answer time.Duration
	// Stall is the longest silence in a body. Default 10 s.
	Stall time.Duration
	// ConnectTCP and StallTCP are used instead where HTTP/3 could take over.
	// Defaults 2.5 s, which one lost SYN fits in, and 1.4 s; after a silence
	// connecting may take no longer than the latter, so that HTTP/3 is there
	// within 3 s. Over more than 140 ms of round trip a silence may last longer.
	ConnectTCP, StallTCP time.Duration
	// MinRate is the rate below which a connection is given up, taken over Window.
	// Defaults 4 KiB/s and 5 s.
	MinRate shoal.Rate
	Window  time.Duration
	// Backoff is the first cool-down of an upstream; it doubles with each further
	// failure up to 32 times as long. Default 500 ms.
	Backoff time.Duration
	// Patience is how long Run goes on with nothing arriving. Default 25 s.
	Patience time.Duration
}

// stallRTTs is how many round trips a silence lasts at least before HTTP/3 takes over: a
// packet may be lost, and so may the next one that repairs that, while a queue is full.
const stallRTTs = 10

// stallTCP is the longest silence where HTTP/3 could take over, over a round-trip
// time; 0: not known.
func (l *Limits) stallTCP(rtt time.Duration) time.Duration {
	return max(l.StallTCP, stallRTTs*rtt)
}

// withDefaults fills in what is not set.
func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&l.Connect, 5*time.Second)
	set(&l.Answer, 10*time.Second)
	set(&l.Stall, 10*time.Second)
	set(&l.ConnectTCP, 2500*time.Millisecond)
	set(&l.StallTCP, 1400*time.Millisecond)
	set(&l.Window, 5*time.Second)
	set(&l.Backoff, 500*time.Millisecond)
	set(&l.Patience, 25*time.Second)
	if l.MinRate <= 0 {
		l.MinRate = 4 << 10
	}
	return l
}
