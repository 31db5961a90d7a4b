package fallback

import "time"

const (
	// hedgeGain is how much sooner a second connection must be done.
	hedgeGain = 2
	// hedgeAge and hedgeRTTs round trips together are how long a range must have
	// been asked for; less says nothing about its speed: a connection is opened and
	// finds out how fast it may send.
	hedgeAge  = 500 * time.Millisecond
	hedgeRTTs = 16
	// assumedRate is that of a connection that was never used, bytes a second.
	assumedRate = 128 << 10
)

// outstanding is a range on its way.
type outstanding struct {
	age     time.Duration
	rtt     time.Duration // of its connection; 0: not known
	pace    float64       // at which bytes come now, a second
	left    int64         // bytes still to come
	tail    int64         // of these, after the piece that is arriving
	piece   int64         // that piece's size
	settled bool          // a second connection cannot help any more
}

// eta is when it will be done at that pace, in seconds.
func (o outstanding) eta() float64 { return float64(o.left) / max(o.pace, 1) }

// patience is how long a range, or what comes over a connection, must have been watched.
func patience(rtt time.Duration) time.Duration { return hedgeAge + hedgeRTTs*rtt }

// chooseHedge picks the range that a connection with nothing to do should help
// with: the one that will be done last, if helping ends it much sooner. Help means
// to take over what comes after the piece that is arriving or, where nothing
// does, to race for that piece. rate is the helper's, 0: not known.
func chooseHedge(ranges []outstanding, rate float64) (i int, ok bool) {
	if rate <= 0 {
		rate = assumedRate
	}
	latest := 0.0
	for k, o := range ranges {
		help := o.tail
		if help == 0 {
			help = o.piece
		}
		eta := o.eta()
		if o.settled || o.age < patience(o.rtt) || eta < hedgeAge.Seconds() || eta < hedgeGain*float64(help)/rate || eta <= latest {
			continue
		}
		i, ok, latest = k, true, eta
	}
	return i, ok
}
