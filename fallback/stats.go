package fallback

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// State is whether an upstream is in use.
type State string

const (
	Active  State = "active"
	Cooling State = "cooling" // failed; asked again later
	Benched State = "benched" // no use for this content
)

// Stats is a snapshot of a [Fetcher], at most a tenth of a second old while it
// runs, or half a second while it is quiet ([Fetcher.Quiet]). Bytes are of bodies,
// and counted since it was made.
type Stats struct {
	Delivered int64 // in pieces that verified
	Wasted    int64 // received and of no use: corrupt, lost a race, or given up
	Upstreams []UpstreamStats
}

// UpstreamStats is about one upstream.
type UpstreamStats struct {
	Name        string
	Kind        Kind
	State       State
	Reason      string    // what has failed since a range last came whole, or why TCP was given up; "": nothing
	Since       time.Time // of that failure; zero: none since a range last came whole
	Until       time.Time // while cooling: when it is asked again
	Transport   Transport
	Connections int   // with a request under way
	Bytes       int64 // received
	Goodput     shoal.Rate
}

// Stats returns a snapshot; it is the caller's.
func (f *Fetcher) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Upstreams = append([]UpstreamStats(nil), s.Upstreams...)
	return s
}

// publish makes the snapshot.
func (f *Fetcher) publish(now time.Time) {
	stats := Stats{
		Delivered: f.delivered.Load(),
		Wasted:    f.wasted.Load(),
		Upstreams: make([]UpstreamStats, 0, len(f.sources)),
	}
	for _, s := range f.sources {
		stats.Upstreams = append(stats.Upstreams, s.stats(now))
	}
	f.mu.Lock()
	f.stats = stats
	f.mu.Unlock()
}

func (s *source) stats(now time.Time) UpstreamStats {
	u := UpstreamStats{
		Name: s.Name, Kind: s.Kind, State: Active, Since: s.health.since,
		Transport: s.route.current, Bytes: s.bytes.Load(), Goodput: s.meter.rate,
		Connections: s.busy(),
	}
	if why := s.why(); why != nil {
		u.Reason = why.Error()
	}
	switch {
	case s.health.final:
		u.State = Benched
	case !s.health.usable(now):
		u.State, u.Until = Cooling, s.health.until
	}
	return u
}

// meter is a rate over the last seconds.
type meter struct {
	rate  shoal.Rate
	at    time.Time
	bytes int64
}

// observe is told how many bytes came so far.
func (m *meter) observe(now time.Time, bytes int64) {
	d := now.Sub(m.at)
	switch {
	case m.at.IsZero() || d > time.Minute:
	case d < time.Second:
		return
	default:
		m.rate = (m.rate + shoal.Rate(float64(bytes-m.bytes)/d.Seconds())) / 2
	}
	m.at, m.bytes = now, bytes
}
