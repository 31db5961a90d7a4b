package upload

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	// A request shall take some of a connection's time: long against the round trip in
	// which it is acknowledged, short against what a break costs.
	requestRTTs    = 8
	minRequestTime = 500 * time.Millisecond
	maxRequestTime = 2500 * time.Millisecond

	maxRequest = 16 << 20 // bytes
	minRequest = 64 << 10 // bytes; at least one chunk in any case

	// tailTime is how little of a connection's time a request takes near the end:
	// with less, waiting for answers would take longer than sending.
	tailTime = 250 * time.Millisecond

	// maxInFlight bounds the bytes of all requests under way, which are in memory.
	maxInFlight = 64 << 20
)

// requestBytes is how much the next request of a connection may carry (M9):
// what it sends in some time at the speed last measured, and near the end its
// share of what is left, so that all connections finish at nearly one time. speeds are
// those of all connections, own among them.
func requestBytes(own shoal.Rate, speeds []shoal.Rate, queued int64, rtt time.Duration) int64 {
	n := int64(float64(own) * min(max(requestRTTs*rtt, minRequestTime), maxRequestTime).Seconds())
	var all float64
	for _, s := range speeds {
		all += float64(s)
	}
	if all > 0 {
		n = min(n, int64(float64(queued)*float64(own)/all))
	}
	most := int64(maxRequest)
	if k := int64(len(speeds)); k > 0 {
		most = min(most, maxInFlight/k)
	}
	least := max(minRequest, int64(float64(own)*tailTime.Seconds()))
	return min(max(n, least), most)
}

// farRTT is the round trip above which two requests at a time are too few to keep a
// path full while a connection finds out how fast it may send.
const farRTT = 40 * time.Millisecond

// lanesPerTurn is how many connections there are for each request whose body may be on
// its way: while one waits for its answer, which comes when the chunks
// are durable, the other sends, so that the path is never empty.
const lanesPerTurn = 2

// connections is how many requests are sent at a time over a path at first, and how many
// may be. QUIC here has NewReno, and so has TCP where the kernel refuses BBR
// cubic: several of those share the losses of a path.
func connections(tr netprobe.Transport, rtt time.Duration, bbr bool) (first, most int) {
	switch {
	case tr == netprobe.QUIC || !bbr:
		return 8, 16
	case rtt > farRTT:
		return 4, 8
	}
	return 2, 8
}

// worthMore reports whether the last added connection brought so much that one
// more should be tried.
func worthMore(before, after shoal.Rate) bool { return float64(after) >= 1.1*float64(before) }

// shouldSteal reports whether the rest of somebody's request, left bytes at a
// speed of his, is better sent by an idle connection: its own speed and the time
// for a new request counted.
func shouldSteal(left int64, his, own shoal.Rate, rtt time.Duration) bool {
	if own <= 0 {
		return false
	}
	there := time.Duration(float64(left) / max(1, float64(his)) * float64(time.Second))
	here := time.Duration(float64(left)/float64(own)*float64(time.Second)) + 2*rtt
	return there > 2*time.Second && there > 3*here
}

const (
	// What is on a server counts for a while after it cannot be reached.
	minLoyalty = 10 * time.Second
	maxLoyalty = 10 * time.Minute
)

// loyalty is how long to wait for a server that holds a part of the upload and
// went away, before another one gets everything: as long as sending that part
// again would take, so that the wait costs at most as much again as the better
// of the two would have.
func loyalty(held int64, speed shoal.Rate) time.Duration {
	if held <= 0 || speed <= 0 {
		return minLoyalty
	}
	again := float64(held) / float64(speed)
	return time.Duration(min(max(again, minLoyalty.Seconds()), maxLoyalty.Seconds()) * float64(time.Second))
}
