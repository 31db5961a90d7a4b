package exchange

import "time"

// headway is how carrier's members get on with their shares.
//
// A member that brings in nothing for a while is passed over until it does. One that
// brings in something, but far less than we do, is slow: whoever is next in rank asks for
// its share as well. It goes on by itself, as it may not know; what comes twice so is
// as little as it brings.
type headway struct {
	looked time.Time // when it was looked at
	pace   ewma      // seconds between two pieces that a member brings in
	left   int       // pieces of our share that our carrier lacked then
	since  time.Time // when all tallies began
	own    tally
}

// tally is what a member, or we, brought in since all tallies began.
type tally struct {
	brought int  // pieces
	owed    bool // there was always something for it to bring
}

const (
	// A member is passed over that brings in nothing for crossPatience, and for
	// crossPaces times as long as members take for a piece.
	crossPatience = 3 * time.Second
	crossPaces    = 6
	crossLook     = 250 * time.Millisecond
	// Members are compared with us each time that we have brought in slowTally
	// pieces, and crossPatience has passed. One is slow that has brought in less than
	// a slowShare-th of that: paths over one line may differ by a factor of four for seconds.
	slowTally = 16
	slowShare = 8
)

// isSlow reports whether a member is slow beside us that brought in theirs, and was slow
// before or not. Having nothing to bring makes nobody slow, but neither does it show that
// one is no more: others may have brought it.
func isSlow(theirs, ours tally, before bool) bool {
	return theirs.brought*slowShare < ours.brought && (theirs.owed || before)
}

// rest is about how long our share still takes, maxPatience at most: the pace counts times in
// which nothing was to be had. What other carriers owe us is in time until then, however late it is.
func (h *headway) rest() time.Duration {
	return time.Duration(min(float64(h.left)*h.pace.value, maxPatience.Seconds()) * float64(time.Second))
}

// watchMembers passes over the members that bring in nothing though they could, and
// finds those that are slow.
func (s *State) watchMembers(now time.Time) {
	c := &s.carrier
	if len(s.foreign) == 0 || now.Sub(c.looked) < crossLook {
		return
	}
	c.looked = now
	s.findMute(now)
	s.divide()
	owing := s.owing()
	patience := max(crossPatience, time.Duration(crossPaces*c.pace.value*float64(time.Second)))
	for _, p := range s.peers {
		m := &p.member
		switch {
		case !owing[p]:
			m.owing, m.owed = time.Time{}, false
		case m.owing.IsZero():
			m.owing = now
		case !m.passed && now.Sub(m.owing) > patience:
			m.passed, c.stale = true, true
		}
	}
	s.compare(now)
	s.divide()
}

// owing finds the members that could bring in something, and counts what is left
// of our share.
func (s *State) owing() map[*peer]bool {
	c := &s.carrier
	c.left = 0
	owing := make(map[*peer]bool)
	for piece := range s.Held().Missing() {
		if c.near[piece] > 0 {
			continue
		}
		if c.share.Has(piece) {
			c.left++
		}
		if p := c.owners[piece/c.run]; p != nil && s.pick.Holders(piece) > 0 {
			owing[p] = true
		}
	}
	return owing
}

// compare finds the members that are slow beside us, and begins new tallies.
func (s *State) compare(now time.Time) {
	c := &s.carrier
	if c.own.brought < slowTally || now.Sub(c.since) < crossPatience {
		return
	}
	for _, p := range s.peers {
		m := &p.member
		if slow := isSlow(m.tally, c.own, m.slow); slow != m.slow {
			m.slow, c.stale = slow, true
		}
		m.tally = tally{owed: true}
	}
	c.since, c.own = now, tally{}
}
