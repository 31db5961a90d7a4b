package netprobe

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Result is what is known of a path.
type Result struct {
	Path
	At       time.Time // of the last measurement
	RTT      RTT
	Down, Up Transfer // from the gateway, to the gateway
	Err      error    // why nothing could be measured: no connection, no answer, no probe there
}

// RTT is a round trip time; zero values are unknown.
type RTT struct {
	Min    time.Duration
	Median time.Duration
}

// rttOf sums up samples, which it sorts.
func rttOf(samples []time.Duration) RTT {
	if len(samples) == 0 {
		return RTT{}
	}
	slices.Sort(samples)
	return RTT{Min: samples[0], Median: samples[len(samples)/2]}
}

// Transfer is what one direction of a path achieved.
type Transfer struct {
	At      time.Time  // when it was measured; zero: it was not
	Goodput shoal.Rate // bytes/s of payload, see the package comment; 0: unknown
	Bytes   int64      // of payload that were moved
	Time    time.Duration
	Loss    Loss  // of the sender's packets
	Err     error // why there is no Goodput although it was wanted
}
