package supply

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// maxLabel bounds what a web seed is called in reports, in bytes.
const maxLabel = 200

// faults are the upstreams that failed, for the report of the fetch: also those that
// work again. The zero value is ready.
type faults struct {
	by      map[string]*fault // by the upstream's name; at most [api.MaxFaults]
	changed bool              // since list was called
}

type fault struct {
	api.Fault
	at time.Time // of the latest one counted
}

// observe takes in how an upstream does. Its failures are told apart by their times.
func (f *faults) observe(u fallback.UpstreamStats) {
	if u.Reason == "" || u.Since.IsZero() {
		return
	}
	known := f.by[u.Name]
	if known == nil {
		if len(f.by) >= api.MaxFaults {
			return
		}
		known = &fault{Fault: api.Fault{Kind: api.UpstreamFault}}
		if u.Kind == fallback.Node {
			known.Peer = shoal.NodeID(u.Name)
		} else {
			known.Name = label(u.Name)
		}
		if f.by == nil {
			f.by = make(map[string]*fault)
		}
		f.by[u.Name] = known
	}
	if !u.Since.Equal(known.at) {
		known.at = u.Since
		known.Count++
		known.Reason = shorten(u.Reason, maxReason)
		f.changed = true
	}
}

// list is a copy, in a fixed order.
func (f *faults) list() []api.Fault {
	f.changed = false
	var out []api.Fault
	for _, known := range slices.SortedFunc(maps.Values(f.by), func(a, b *fault) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Name, b.Name))
	}) {
		out = append(out, known.Fault)
	}
	return out
}

// label is what a web seed is called in reports.
func label(url string) string { return shorten(fallback.Label(url), maxLabel) }

// shorten cuts s to at most n bytes without splitting a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Faults are the upstreams that have failed since Run began, each with the newest
// reason.
func (s *Supply) Faults() []api.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faulty
}

// Wasted is how many bytes upstreams have sent since Run began that came to nothing,
// besides those of pieces that did not verify.
func (s *Supply) Wasted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wasted
}

// tell makes the snapshots of that.
func (s *Supply) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wasted := s.wastedByOver
	for _, w := range s.workers {
		for _, u := range w.fetcher.Stats().Upstreams {
			s.faults.observe(u)
		}
		if !w.over {
			wasted += w.wasted()
		}
	}
	s.wasted = max(s.wasted, wasted) // one that was dismissed is counted when it has ended
	if s.faults.changed {
		s.faulty = s.faults.list()
	}
}

// retired notes that a worker's fetcher has ended.
func (s *Supply) retired(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.over = true
	s.wastedByOver += w.wasted()
}

// wasted is what the worker's upstream has sent for nothing. Pieces that did not
// verify are left out: the swarm counts them.
func (w *worker) wasted() int64 {
	return max(0, w.fetcher.Stats().Wasted-w.pieces.corrupt.Load())
}
