package fallback

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// Paths remembers what the transports to servers brought, for all Fetchers of a node. A server is
// the scheme, host and port of a URL. It must be safe for concurrent use and not block.
type Paths interface {
	// Goodput is what each transport brought from a server when it was last in use together with the
	// other one, in bytes of payload a second; 0: it failed. Those of which nothing is known, or
	// only what is too old, are left out.
	Goodput(server string) map[Transport]shoal.Rate
	// Brought takes in such a goodput, or why a transport failed.
	Brought(server string, t Transport, goodput shoal.Rate, err error)
}

// server names s for [Paths].
func (s *source) server() string { return s.base.Scheme + "://" + s.base.Host }

// remember has Paths take in what was found out.
func (f *Fetcher) remember(s *source, t Transport, goodput float64, err error) {
	if f.cfg.Paths != nil {
		f.cfg.Paths.Brought(s.server(), t, shoal.Rate(goodput), err)
	}
}

// recall goes by what other fetches have found out about the transports, as soon as it is known
// that there are two.
func (f *Fetcher) recall(now time.Time, s *source) {
	if s.recalled || !s.route.http3 || f.cfg.Paths == nil {
		return
	}
	s.recalled = true
	known := f.cfg.Paths.Goodput(s.server())
	tcp, tried := known[TCP]
	quic, compared := known[QUIC]
	switch {
	case compared && better(float64(tcp), float64(quic)) == TCP:
		s.route.notBetter(now)
	case compared, tried && tcp == 0:
		s.route.leaveTCP(now)
		s.route.tryFrom = now // it may be otherwise by now
		s.resetOnSwitch()
	}
}
