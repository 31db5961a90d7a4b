package leases

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	// leaseTime is how long a lease should last at its node's rate: long
	// against the way to the tracker, short against a distribution.
	leaseTime = 4 * time.Second
	// firstBytes sizes the lease of a node whose rate nobody knows yet.
	firstBytes = 256 << 10
	maxBytes   = 64 << 20
	// together is what all who ask for a content have leased at least: a lease that
	// lasts a few round trips shows no rate, and would stay as short as it is.
	together = 16 << 20
	// growth bounds how much larger a node's lease is than the one before.
	growth = 4
	// share is the part of what is left that one lease may take, over the number
	// of nodes that want it: half of an even share, so that the last pieces
	// leave in small leases and nobody waits long for a slow node's. One whose rate
	// is known may have more if nobody else wants any, or it lasts no longer than brief.
	share = 2
	brief = 500 * time.Millisecond

	askerIdle = time.Minute
	// leastSpan is the time that a node's rate is taken over, at least.
	leastSpan = 500 * time.Millisecond
	// gathering is how long nodes that fetch together may take to find each other.
	gathering = 3 * time.Second
	// patience is how long a node is refused before it counts as cut off.
	patience = 15 * time.Second
	// tardy is how late a refused node may return and still count as waiting.
	tardy = 5 * time.Second
	// maxLeases is how many leases of a content a node may have: those that it
	// reads, which slow ranges keep open, and one that it goes on with.
	maxLeases = 4
)

// asker is a node that asks for leases of a content.
type asker struct {
	asked   time.Time
	refused time.Time // since when it has been refused; zero: it hasn't
	again   time.Time // when it should ask again
	leases  int
	last    int64     // bytes of the newest lease
	rate    float64   // bytes/s it has shown; 0: unknown
	since   time.Time // when the stretch of time began in which read bytes have come by leases that ended
	read    int64
}

// begin notes that the node is granted a lease.
func (a *asker) begin(now time.Time, bytes int64) {
	if a.leases == 0 {
		a.since, a.read = now, 0
	}
	a.leases++
	a.last, a.refused = bytes, time.Time{}
}

// end notes that a lease ends by which used bytes were read, and learns the rate.
// Leases overlap, so it is taken over stretches of time, not over each lease.
func (a *asker) end(now time.Time, used int64) {
	a.leases--
	a.read += used
	took := now.Sub(a.since)
	if a.read <= 0 || a.leases > 0 && took < leastSpan {
		return
	}
	rate := float64(a.read) / max(took.Seconds(), 0.01)
	if a.rate > 0 {
		rate = (a.rate + rate) / 2
	}
	a.rate, a.since, a.read = rate, now, 0
}

// size is how many bytes the node's next lease should have, before it is cut
// to what is there. Down is its downlink and bound the rate at which it may
// read; 0 where there is none. It is one of so many sharers.
func (a *asker) size(down, bound shoal.Rate, sharers int) int64 {
	least := max(together/int64(sharers), firstBytes)
	n := least
	if a.rate > 0 {
		n = max(least, min(int64(a.rate*leaseTime.Seconds()), growth*max(a.last, firstBytes)))
	}
	for _, r := range []shoal.Rate{down, bound} {
		if r > 0 {
			n = min(n, int64(r)*int64(leaseTime/time.Second))
		}
	}
	return min(n, maxBytes)
}

// ask notes that the node asks. One that stayed away for longer than it was
// told to had peers meanwhile: it is refused for the first time again.
func (a *asker) ask(now time.Time) {
	a.asked = now
	if now.Sub(a.again) > tardy {
		a.refused = time.Time{}
	}
}

// refuse notes that the node got nothing and when it should ask again.
func (a *asker) refuse(now, again time.Time) {
	a.again = again
	if a.refused.IsZero() {
		a.refused = now
	}
}

// cutOff reports whether a node that asks for a reason has gone without for so
// long that no other node seems to reach it.
func (a *asker) cutOff(now time.Time, why api.LeaseReason) bool {
	return (why == api.NoPeers || why == api.Stalled || why == api.Unreachable) && a.refusedFor(now, patience)
}

// refusedFor reports whether the node has got nothing for d.
func (a *asker) refusedFor(now time.Time, d time.Duration) bool {
	return !a.refused.IsZero() && now.Sub(a.refused) >= d
}
