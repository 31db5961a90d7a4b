package swarm

import (
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// How often the event loop wakes up by itself. A node may have thousands of
// contents, of which few are moving.
const (
	fetchingPace = rosterRefresh    // something is missing: there may be peers to dial
	servingPace  = time.Second      // all is here, and peers are connected
	restingPace  = 10 * time.Second // nobody is there
	// uselessAfter is how long two peers that both have everything stay connected.
	uselessAfter = 5 * time.Second
)

// pace is how soon the loop must look at the time again.
func (s *Swarm) pace() time.Duration {
	switch {
	case s.state.Busy():
		return exchange.TickInterval
	case !s.finished:
		return fetchingPace
	case len(s.conns) > 0:
		return servingPace
	}
	return restingPace
}

// dropUseless closes connections on which nothing can move any more.
func (s *Swarm) dropUseless(now time.Time) {
	for _, c := range s.conns {
		switch {
		case !s.state.Useless(c.peer):
			c.useless = time.Time{}
		case c.useless.IsZero():
			c.useless = now
		case now.Sub(c.useless) >= uselessAfter:
			s.disconnect(c)
		}
	}
}
