package exchange

import (
	"testing"
	"time"
)

// What fills a path is its rate times its round trip. An answer that takes much longer than
// the network does has waited in a queue, which is nothing to fill.
func TestWindow(t *testing.T) {
	const rate, ms = 1 << 20, time.Millisecond
	for _, c := range []struct {
		name            string
		answer, network time.Duration
		growing         bool
		want            time.Duration // of the rate
	}{
		{"near, both sides take their time", ms, ms, false, leastRTT},
		{"far", 120 * ms, 100 * ms, false, 120 * ms},
		{"not known to be full", 120 * ms, 100 * ms, true, 240 * ms},
		{"near, behind others' requests", 2 * time.Second, 0, false, 2 * time.Second},
		{"the same, with the network known", 2 * time.Second, 10 * ms, false, 10*ms + mostWait},
		{"far, behind others' requests", 2 * time.Second, 300 * ms, false, 300*ms + mostWait},
	} {
		s := newScript(t, 1, piece)
		s.on(PeerJoined{Peer: "p"})
		p := &s.s.byID["p"].source.path
		p.rate.add(rate, 1)
		if !c.growing {
			p.flat = flatRounds
		}
		p.answered(c.answer)
		if c.network > 0 {
			s.on(RoundTripMeasured{Peer: "p", Least: c.network})
		}
		if got, want := p.window(), int64(rate*c.want.Seconds()); got < want-1 || got > want+1 {
			t.Errorf("%s: window of %d bytes, want %d", c.name, got, want)
		}
		s.on(RoundTripMeasured{Peer: "gone", Least: ms})
	}
}
