package netprobe

import (
	"cmp"
	"time"
)

// Op is what a step does on its path.
type Op int

const (
	Ping     Op = iota // requests for no bytes: is it there, how far away
	Download           // from the gateway
	Upload             // to the gateway
)

// Step is one measurement on a connection of its own.
type Step struct {
	Path
	Op       Op
	Requests int // of a Ping

	// A transfer ends when either was reached; what then stands in buffers may
	// take as long again.
	Bytes int64
	Time  time.Duration
}

// Budget bounds what a plan costs. The zero value measures round trips only.
type Budget struct {
	Requests int           // for the round trip time of a path; default 5
	Down, Up bool          // which directions to transfer in
	Bytes    int64         // of all transfers together; default 16 MiB for each
	Time     time.Duration // of all transfers together; default 3 s for each
}

// What one transfer gets: at most so that long lists don't take forever, and
// at least so that it says more than how a connection begins. 3 s told TCP from
// QUIC on all paths that were tried, up to an RTT of 200 ms and 5 % loss, although
// at the worst of them BBR still gets faster after that.
const (
	maxStepBytes = 16 << 20
	minStepBytes = 256 << 10
	maxStepTime  = 3 * time.Second
	minStepTime  = 500 * time.Millisecond
)

// Plan decides what to measure: the round trips to all targets over every
// transport, then the transfers target by target, in the order given. When the
// budget is too small for all, the last targets get none; a target's transports
// are measured alike. A target that comes again is passed over.
//
// Steps that are pings can be done at the same time. Transfers can't: they all
// share this end's link.
func Plan(targets []Target, b Budget) []Step {
	var steps []Step
	var paths [][]Path // by target
	known := map[Target]bool{}
	for _, t := range targets {
		if known[t] {
			continue
		}
		known[t] = true
		var of []Path
		for _, tr := range t.Transports() {
			p := Path{t, tr}
			of = append(of, p)
			steps = append(steps, Step{Path: p, Op: Ping, Requests: cmp.Or(b.Requests, 5)})
		}
		paths = append(paths, of)
	}
	return append(steps, transfers(paths, b)...)
}

func transfers(paths [][]Path, b Budget) []Step {
	var ops []Op
	if b.Down {
		ops = append(ops, Download)
	}
	if b.Up {
		ops = append(ops, Upload)
	}
	var steps []Step
	most := mostTransfers(b)
	for _, of := range paths {
		n := len(steps) + len(of)*len(ops)
		if most >= 0 && n > most {
			break
		}
		for _, op := range ops {
			for _, p := range of {
				steps = append(steps, Step{Path: p, Op: op})
			}
		}
	}
	bytes, span := int64(maxStepBytes), maxStepTime
	if n := len(steps); n > 0 && b.Bytes > 0 {
		bytes = min(bytes, b.Bytes/int64(n))
	}
	if n := len(steps); n > 0 && b.Time > 0 {
		span = min(span, b.Time/time.Duration(n))
	}
	for i := range steps {
		steps[i].Bytes, steps[i].Time = bytes, span
	}
	return steps
}

// mostTransfers is how many the budget has room for; -1: any number.
func mostTransfers(b Budget) int {
	most := int64(-1)
	if b.Bytes > 0 {
		most = b.Bytes / minStepBytes
	}
	if b.Time > 0 {
		if n := int64(b.Time / minStepTime); most < 0 || n < most {
			most = n
		}
	}
	return int(most)
}
