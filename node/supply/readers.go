package supply

import (
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// readers are who waits for pieces. It is safe for concurrent use; the zero value
// is ready.
type readers struct {
	mu    sync.Mutex
	spans []*reading // in the order they came
	gone  time.Time  // when the last one went
}

const (
	// shortRange is how many bytes are asked of an upstream at a time while readers
	// are about: a seek waits for the ranges that are under way.
	shortRange = 512 << 10
	// readersStay is how long a reader who left may come back with a seek.
	readersStay = 30 * time.Second
)

// reading is the pieces from first to end-1 that a reader wants in this order.
type reading struct {
	first, end int
	since      time.Time
}

// wanted is what readers wait for and no loan brings.
type wanted struct {
	runs   []api.Run // what is missing; the first of each is what its reader waits for
	wait   time.Duration
	newest time.Time // when the last of these readers began to wait
}

// add notes that a reader waits for piece first and will want those after it.
func (r *readers) add(first, count int, now time.Time) (release func()) {
	s := &reading{first, first + count, now}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.spans = slices.DeleteFunc(r.spans, func(other *reading) bool { return other == s })
		r.gone = time.Now()
	}
}

func (r *readers) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans) > 0
}

// atMost is how much may be asked of an upstream at a time, where it would be most.
func (r *readers) atMost(most int64, now time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spans) > 0 || !r.gone.IsZero() && now.Sub(r.gone) < readersStay {
		return min(most, shortRange)
	}
	return most
}

// want is what is wanted of those pieces that are not settled: neither here nor
// being read from an upstream. The longest waits come first; wait is the longest.
// A reader who finds the piece here that it waits for does not wait.
func (r *readers) want(settled *shoal.PieceSet, now time.Time) (w wanted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		end := min(s.end, settled.Len())
		if s.first < 0 || s.first >= end || settled.Has(s.first) {
			continue
		}
		w.wait = max(w.wait, now.Sub(s.since))
		if s.since.After(w.newest) {
			w.newest = s.since
		}
		run := api.Run{First: s.first, Count: 1}
		for run.First+run.Count < end && !settled.Has(run.First+run.Count) {
			run.Count++
		}
		if len(w.runs) < api.MaxWanted {
			w.runs = append(w.runs, run)
		}
	}
	return w
}

// Want says that a reader waits for piece first, and will want the count-1
// pieces after it, until release is called.
func (s *Supply) Want(first, count int) (release func()) {
	defer s.wake()
	return s.readers.add(first, count, time.Now())
}

// unleased is what readers wait for that no loan brings.
func (s *Supply) unleased(held *shoal.PieceSet, now time.Time) wanted {
	settled := held
	if len(s.loans) > 0 {
		settled = held.Clone()
		for _, l := range s.loans {
			for piece := range l.all() {
				settled.Add(piece)
			}
		}
	}
	return s.readers.want(settled, now)
}
