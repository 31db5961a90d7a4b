package dht

import "sync/atomic"

// Status is what a service does at the moment, and has done since it was made.
type Status struct {
	On      bool
	Peers   int // in the routing table
	Records int // kept for others and for itself

	Lookups int64 // that were begun
	Found   int64 // nodes that they found, one counted once for each lookup
	Offers  int64 // contents offered and taken by others, renewals included
	Refused int64 // contents offered and taken by nobody
}

// counters are what a service has done. They are safe for concurrent use.
type counters struct{ lookups, found, offers, refused atomic.Int64 }

func (c *counters) offered(taken bool) {
	if taken {
		c.offers.Add(1)
	} else {
		c.refused.Add(1)
	}
}

// Status may be called at any time.
func (s *Service) Status() Status {
	st := Status{
		Lookups: s.did.lookups.Load(), Found: s.did.found.Load(),
		Offers: s.did.offers.Load(), Refused: s.did.refused.Load(),
	}
	if n := s.current(); n != nil {
		st.On, st.Peers, st.Records = true, n.size(), n.records.len()
	}
	return st
}
