package node

import (
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	// maxTransports bounds what is known of upstreams, and the series that metrics have of it.
	maxTransports = 256
	// leastGoodput stands for a transport that brought nothing where another one did, in bytes a
	// second: to the book, 0 is unknown.
	leastGoodput = 1
)

// transports remembers what upstreams brought over TCP and over HTTP/3, for the fetches to
// come. It is safe for concurrent use.
type transports struct{ book *netprobe.Book }

func newTransports() transports {
	return transports{netprobe.NewBook(netprobe.BookConfig{Max: maxTransports})}
}

// Goodput implements [fallback.Paths].
func (ts transports) Goodput(server string) map[fallback.Transport]shoal.Rate {
	target, err := netprobe.ParseTarget(server)
	if err != nil {
		return nil
	}
	known := make(map[fallback.Transport]shoal.Rate)
	for _, r := range ts.book.Of(time.Now(), target) {
		known[fallback.Transport(r.Transport)] = goodput(r)
	}
	return known
}

// Brought implements [fallback.Paths].
func (ts transports) Brought(server string, t fallback.Transport, goodput shoal.Rate, err error) {
	target, invalid := netprobe.ParseTarget(server)
	if invalid != nil || !utf8.ValidString(server) {
		return // too long to be remembered, or no label of a metric
	}
	now := time.Now()
	r := netprobe.Result{Path: netprobe.Path{Target: target, Transport: netprobe.Transport(t)}, At: now, Err: err}
	if err == nil {
		r.Down = netprobe.Transfer{At: now, Goodput: max(goodput, leastGoodput)}
	}
	ts.book.Add(now, r)
}

// goodput is what a path brought; 0: it failed.
func goodput(r netprobe.Result) shoal.Rate {
	if r.Err != nil {
		return 0
	}
	return r.Down.Goodput
}

var descTransport = describe("upstream_goodput_bytes_per_second",
	"What an upstream brought by each transport while both were compared; 0: it failed. Of the last ten minutes.", "server", "transport")

// collect reports what is known.
func (ts transports) collect(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	for r := range ts.book.All(time.Now()) {
		gauge(descTransport, float64(goodput(r)), r.URL, string(r.Transport))
	}
}
