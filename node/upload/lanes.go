package upload

import (
	"fmt"
	"slices"

	"github.com/shoal-cdn/shoal"
)

// addLane opens one more connection. Its first guess at its speed is its share of
// what the path was measured to carry.
func (s *session) addLane(first int) (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c *client
	if n := len(s.spare); n > 0 {
		c, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		var err error
		if c, err = s.dialer.client(s.route.path); err != nil {
			return nil, err
		}
	}
	l := &lane{session: s, number: len(s.lanes), client: c, speed: max(s.route.up, 1<<20) / shoal.Rate(first)}
	s.lanes = append(s.lanes, l)
	return l, nil
}

// allLanes are those that were opened, the ones that have ended among them.
func (s *session) allLanes() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lanes)
}

// speeds are that of one connection and those of all.
func (s *session) speeds(of *lane) (own shoal.Rate, all []shoal.Rate) {
	for _, l := range s.allLanes() {
		v := l.currentSpeed()
		if v > 0 { // else it has ended
			all = append(all, v)
		}
		if l == of {
			own = v
		}
	}
	return own, all
}

// sentSoFar is what all connections have taken, of this session and those before.
func (s *session) sentSoFar() int64 {
	var n int64
	s.count(func(r *Report) { n = r.Sent })
	for _, l := range s.allLanes() {
		n += l.inFlight()
	}
	return n
}

// relieve ends the request of the connection that would need longest for the rest
// of it, where the idle one is so much faster that this pays.
func (s *session) relieve(idle *lane) {
	var slowest *flight
	var longest float64
	for _, l := range s.allLanes() {
		left, speed, f := l.left()
		if f == nil || l == idle || !shouldSteal(left, speed, idle.currentSpeed(), s.route.rtt) {
			continue
		}
		if t := float64(left) / max(1, float64(speed)); t > longest {
			slowest, longest = f, t
		}
	}
	if slowest != nil {
		slowest.cancel(errStolen)
	}
}

// refused counts chunks that the server found damaged.
func (s *session) refused(chunks []span, err error) error {
	s.count(func(r *Report) {
		for _, c := range chunks {
			r.Refused += c.count
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		for k := c.first; k < c.end(); k++ {
			if s.refusals[k]++; s.refusals[k] >= maxRefusals {
				return final{fmt.Errorf("chunk %d was damaged on the way %d times: %w", k, maxRefusals, err)}
			}
		}
	}
	return err
}
