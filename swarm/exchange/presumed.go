package exchange

import "time"

// greetPatience is how long a presumed peer may be silent before what was asked of
// it is asked of others: it may not be there at all, and a reader waits.
const greetPatience = time.Second

func (e PeerGreeted) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil || !p.presumed {
		return
	}
	// Nothing has come from it by which it counts anywhere.
	s.part(p)
	p.presumed, p.foreign = false, nil
	p.class = class{origin: e.Origin, cross: e.Carrier != ""}
	s.meet(p, e.Carrier)
	src := &p.source
	src.active, src.waited, src.snubbed = s.waking.elapsed, 0, time.Time{}
	s.request(p, now)
}

// doubt takes back the requests to presumed peers that stay silent. That is no fault
// of theirs: they have accepted none. They are asked again once they greet us.
func (s *State) doubt(now time.Time) {
	for _, p := range s.peers {
		src := &p.source
		if !p.presumed || len(src.requests) == 0 || s.waking.elapsed-src.active < greetPatience {
			continue
		}
		for len(src.requests) > 0 {
			s.cancel(p, len(src.requests)-1, now)
		}
		src.snubbed = now.Add(maxPatience)
	}
}
