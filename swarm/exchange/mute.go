package exchange

import "time"

// mutePatience is how long a peer in our carrier may owe us pieces, and send nothing,
// before they may be had from other carriers all the same. It may have good reason:
// it says that it will come to our requests (timeout.go). But a piece that came into
// our carrier is of no use behind somebody who gives it to nobody.
const mutePatience = time.Minute

// findMute takes note of the peers in our carrier that owe us pieces and have sent
// nothing for long. What another carrier has of it is taken back, once; the rest keeps
// its place in their queues.
func (s *State) findMute(now time.Time) {
	for _, p := range s.peers {
		src := &p.source
		if p.class.cross || p.member.mute || len(src.requests) == 0 || s.waking.elapsed-src.delivered <= mutePatience {
			continue
		}
		s.setMute(p, true)
		s.refresh()
		for i := len(src.requests) - 1; i >= 0; i-- {
			if s.isAbroad(src.requests[i].piece) {
				s.cancel(p, i, now)
			}
		}
		src.snubbed = now.Add(maxPatience) // for others to be asked first
	}
}

// setMute says whether a peer's pieces count as being in our carrier.
func (s *State) setMute(p *peer, mute bool) {
	if p.member.mute == mute {
		return
	}
	p.member.mute = mute
	s.carrier.opened++
	for piece := range p.has.All() {
		if mute {
			s.carrier.near[piece]--
		} else {
			s.carrier.near[piece]++
		}
	}
}

// isAbroad reports whether anybody in another carrier has a piece.
func (s *State) isAbroad(piece int) bool {
	for _, f := range s.foreign {
		if f.has.Has(piece) {
			return true
		}
	}
	return false
}
