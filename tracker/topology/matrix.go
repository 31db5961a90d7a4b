package topology

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	maxCarriers = 256
	maxLines    = 4096
	maxReports  = 1 << 16 // a node's on a line

	lineMemory   = 5 * time.Minute  // without traffic, after which its figures are not known
	reportMemory = time.Hour        // after which a node's count of bytes may be forgotten
	together     = 15 * time.Second // reports not further apart are of the same traffic
)

// Matrix is safe for concurrent use.
type Matrix struct {
	mu       sync.Mutex
	carriers map[string]bool
	lines    map[ends]*line
	reports  int // of all lines
}

type ends struct{ from, to string }

// line is what nodes say of the way from one carrier to another.
type line struct {
	bytes   int64
	heard   time.Time // when a node last told of traffic
	reports map[shoal.NodeID]*report
}

// report is one node's word on a line.
type report struct {
	session string
	bytes   int64 // as the node counts, since the session began
	heard   time.Time
	rtt     float64 // ms
	rttAt   time.Time
	loss    float64
	goodput shoal.Rate
	rateAt  time.Time
}

// New returns a matrix without lines.
func New() *Matrix {
	return &Matrix{carriers: make(map[string]bool), lines: make(map[ends]*line)}
}

// Report takes in what a node says in a session, which begins with its start. The paths
// are valid ones.
func (m *Matrix) Report(now time.Time, node shoal.NodeID, session string, paths []api.Path) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range paths {
		if l := m.line(ends{p.From, p.To}); l != nil {
			if r := m.report(l, node, session); r != nil {
				l.take(now, r, p)
			}
		}
	}
}

// line is the one between two carriers, or nil where there are too many.
func (m *Matrix) line(e ends) *line {
	if l := m.lines[e]; l != nil {
		return l
	}
	fresh := 0
	for _, c := range []string{e.from, e.to} {
		if !m.carriers[c] {
			fresh++
		}
	}
	if len(m.lines) == maxLines || len(m.carriers)+fresh > maxCarriers {
		return nil
	}
	m.carriers[e.from], m.carriers[e.to] = true, true
	l := &line{reports: make(map[shoal.NodeID]*report)}
	m.lines[e] = l
	return l
}

// report is the node's on a line, or nil where there are too many.
func (m *Matrix) report(l *line, node shoal.NodeID, session string) *report {
	r := l.reports[node]
	if r == nil {
		if m.reports == maxReports {
			return nil
		}
		m.reports++
		r = &report{session: session}
		l.reports[node] = r
	}
	if r.session != session {
		r.session, r.bytes = session, 0
	}
	return r
}

// take adds what is new in a node's path.
func (l *line) take(now time.Time, r *report, p api.Path) {
	more := p.Bytes - r.bytes
	if more < 0 { // the node has forgotten the line in between
		more = p.Bytes
	}
	r.bytes, r.heard = p.Bytes, now
	if more == 0 {
		return // told again: it is not of late
	}
	l.bytes = add(l.bytes, more)
	l.heard = now
	if p.RTT > 0 {
		r.rtt, r.rttAt = p.RTT, now
	}
	if p.Goodput > 0 {
		r.loss, r.goodput, r.rateAt = p.Loss, p.Goodput, now
	}
}

// add is a sum that stays at the largest number: nodes may claim any.
func add[N ~int64](a, b N) N {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Sweep forgets reports of nodes that have not been heard of for an hour. One
// that comes back later in the same session counts all of its bytes again.
func (m *Matrix) Sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.lines {
		before := len(l.reports)
		maps.DeleteFunc(l.reports, func(_ shoal.NodeID, r *report) bool { return now.Sub(r.heard) > reportMemory })
		m.reports -= before - len(l.reports)
	}
}

// View returns the lines in the order of their carriers.
func (m *Matrix) View(now time.Time) []api.PathSeen {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]api.PathSeen, 0, len(m.lines))
	for e, l := range m.lines {
		p := l.view(now)
		p.From, p.To = e.from, e.to
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b api.PathSeen) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}

// view is all but the names of the carriers.
func (l *line) view(now time.Time) api.PathSeen {
	p := api.PathSeen{Bytes: l.bytes, Age: now.Sub(l.heard).Seconds()}
	var rttAt, rateAt time.Time // the newest
	for _, r := range l.reports {
		rttAt, rateAt = latest(rttAt, r.rttAt), latest(rateAt, r.rateAt)
	}
	counts := func(at, newest time.Time) bool {
		return !at.IsZero() && now.Sub(newest) <= lineMemory && newest.Sub(at) <= together
	}
	var lost float64 // bytes a second
	for _, r := range l.reports {
		trip, rate := counts(r.rttAt, rttAt), counts(r.rateAt, rateAt)
		if trip && (p.RTT == 0 || r.rtt < p.RTT) {
			p.RTT = r.rtt
		}
		if rate {
			lost += r.loss * float64(r.goodput)
			p.Goodput = add(p.Goodput, r.goodput)
		}
		if trip || rate {
			p.Nodes++
		}
	}
	if p.Goodput > 0 {
		loss := min(1, lost/float64(p.Goodput))
		p.Loss = &loss
	}
	return p
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
