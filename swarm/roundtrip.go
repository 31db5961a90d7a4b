package swarm

import (
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// roundTripInterval is how often it is asked how far peers are. Connections that were
// made over full lines look farther than they are, until a moment without a queue.
const roundTripInterval = 500 * time.Millisecond

// measureRoundTrips tells the state how far the peers are that it may ask for pieces.
func (s *Swarm) measureRoundTrips(now time.Time) {
	if s.finished || now.Sub(s.measured) < roundTripInterval {
		return
	}
	s.measured = now
	for id, c := range s.conns {
		counted, _ := c.stream.Path().Counters()
		if least := counted.MinRTT; least > 0 && least != s.state.RoundTrip(id) {
			s.apply(exchange.RoundTripMeasured{Peer: id, Least: least})
		}
	}
}
