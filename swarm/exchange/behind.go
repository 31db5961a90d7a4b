package exchange

const (
	// lag is how many pieces fewer than its neighbours have on average makes a node behind.
	lag = 4
	// together is how many pieces one of two that came at the same time may have more than
	// the other when they meet: connecting to all takes some seconds.
	together = 4 * lag
)

// meetAsNeighbour notes how far p is when it says so for the first time.
func (s *State) meetAsNeighbour(p *peer) {
	if p.met {
		return
	}
	p.met = true
	if lead := p.has.Count() - s.Held().Count(); lead > together {
		p.lead = lead
	}
}

// lookBehind finds out whether we are behind the peers in our carrier that lack pieces too.
// A sender divides its uplink among those that ask, so by what they ask for: one that
// chance has left behind, or that has few neighbours, stays there to the end unless it asks
// for more than they do (docs/adr/0015). One that came later than they did is not behind: it gets
// as much as they do, and by asking for more would take it from those that are
// about to end (docs/adr/0016).
func (s *State) lookBehind() {
	peers, pieces := 0, 0
	for _, p := range s.peers {
		if !p.class.origin && !p.class.cross && !p.has.Full() {
			peers++
			pieces += p.has.Count() - p.lead
		}
	}
	s.behind = (s.Held().Count()+lag)*peers < pieces
}

// ahead is how many bytes may still be outstanding at p when it is asked for the next
// piece. Large pieces are spread over all sources before any is asked for a second one: two of each
// would not fit into what may be under way.
func (s *State) ahead(p *peer) int64 {
	n := p.source.path.window() + pipeline
	if s.behind && !p.class.cross && 2*len(s.peers)*s.cfg.PieceLength <= maxOutstanding {
		n += int64(s.cfg.PieceLength)
	}
	return n
}
