package exchange

import "time"

// Bounds of a source's patience, and how many times it runs out in a row
// before the peer is dropped.
const (
	firstPatience = 5 * time.Second // while nothing has come yet
	minPatience   = 3 * time.Second
	maxPatience   = 10 * time.Second
	maxSilent     = 3
)

// A sender may have a queue that takes far longer than that. It says so every
// queuedInterval, and is believed for maxQueued without any data.
const (
	queuedInterval = time.Second
	maxQueued      = 30 * time.Minute
)

func (e QueuedReceived) apply(s *State, _ time.Time) {
	if p := s.byID[e.Peer]; p != nil && s.waking.elapsed-p.source.delivered < maxQueued {
		p.source.active, p.source.waited = s.waking.elapsed, 0
	}
}

// tellQueued tells the peers whose requests wait, or whose block is long under
// way, that they are not forgotten.
func (s *State) tellQueued(now time.Time) {
	for _, p := range s.peers {
		k := &p.sink
		if (len(k.queue) > 0 || k.busy) && now.Sub(k.told) >= queuedInterval {
			k.told = now
			s.do(SendQueued{Peer: p.id})
		}
	}
}

// waking is a clock that stands still while this process does, as under a
// suspended or starved machine: its peers were not silent then.
type waking struct {
	elapsed time.Duration
	last    time.Time
}

func (w *waking) tick(now time.Time) {
	if !w.last.IsZero() {
		w.elapsed += min(now.Sub(w.last), 4*TickInterval)
	}
	w.last = now
}

// patience is how long a source may be silent while it owes us something.
func (src *source) patience(pieceLength int) time.Duration {
	if !src.path.rate.known || src.path.rate.value < 1 {
		return firstPatience
	}
	d := time.Duration(4 * float64(pieceLength) / src.path.rate.value * float64(time.Second))
	return min(max(d, minPatience), maxPatience)
}

// expire takes back the requests of peers that have been silent for too long.
// Such a peer is asked again a little later, for one piece at a time.
func (s *State) expire(now time.Time) {
	var stalled []*peer
	for _, p := range s.peers {
		src := &p.source
		if len(src.requests) == 0 || s.waking.elapsed-src.active < src.patience(s.cfg.PieceLength) {
			continue
		}
		for len(src.requests) > 0 {
			s.cancel(p, len(src.requests)-1, now)
		}
		src.waited = 0 // it is counted now
		src.silent++
		src.snubbed = now.Add(time.Second << src.silent)
		if src.silent >= maxSilent {
			stalled = append(stalled, p)
			continue
		}
		s.do(ReportFault{Peer: p.id, Fault: Stalled})
	}
	for _, p := range stalled {
		s.drop(p, Stalled, now)
	}
}
