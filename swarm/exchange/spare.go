package exchange

import "github.com/shoal-cdn/shoal"

// Spare names the peer that would be missed least, of those that may be let go, where more than
// most peers lack pieces: one that is not known to be in the middle of a piece, in either
// direction, and of those the one of which the least is asked. ok is false where there are
// not so many, or none that may go.
func (s *State) Spare(most int, may func(shoal.NodeID) bool) (id shoal.NodeID, ok bool) {
	needy, fewest := 0, 0
	for _, p := range s.peers {
		if p.class.origin || p.has.Full() {
			continue
		}
		needy++
		if p.sink.busy || p.source.partial() > 0 || !may(p.id) {
			continue
		}
		if n := len(p.source.requests); !ok || n < fewest { // what it asks of us is its own word
			id, fewest, ok = p.id, n, true
		}
	}
	return id, ok && needy > most
}
