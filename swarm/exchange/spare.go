package exchange

import "github.com/shoal-cdn/shoal"

// Spare names the peer that would be missed least, where more than most peers lack pieces:
// one that is not in the middle of a piece, in either direction, and of those the one with the
// fewest requests. It is not newcomer, which has none yet. ok is false where there are
// not so many, or all are at work.
func (s *State) Spare(most int, newcomer shoal.NodeID) (id shoal.NodeID, ok bool) {
	needy, fewest := 0, 0
	for _, p := range s.peers {
		if p.class.origin || p.has.Full() {
			continue
		}
		needy++
		if p.id == newcomer || p.sink.busy || p.source.partial() > 0 {
			continue
		}
		if n := len(p.source.requests) + len(p.sink.queue); !ok || n < fewest {
			id, fewest, ok = p.id, n, true
		}
	}
	return id, ok && needy > most
}
