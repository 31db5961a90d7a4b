package netprobe

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

// BookConfig says how long a [Book] believes and how much it remembers. Zero
// values are defaults.
type BookConfig struct {
	TTL time.Duration // of each figure; default 10 min
	Max int           // paths; default 4096
}

// Book remembers the results of paths. Speeds and round trips are smoothed:
// each figure is the mean of the new one and the one remembered, so that it
// follows a change within a few probes and one odd probe doesn't turn a
// decision. A path that fails is failed at once, and one that answers again
// starts afresh. When the book is full, what was measured longest ago goes.
//
// Time is the caller's: now must not run backwards by much. A Book is safe for
// concurrent use.
type Book struct {
	ttl time.Duration
	max int

	mu    sync.Mutex // guards the following
	paths map[Path]Result
}

// NewBook returns an empty book.
func NewBook(c BookConfig) *Book {
	return &Book{ttl: cmp.Or(c.TTL, 10*time.Minute), max: cmp.Or(c.Max, 4096), paths: map[Path]Result{}}
}

// Add enters a result. One that is too old already, or has no time, is passed
// over, and so is one older than what is remembered.
func (b *Book) Add(now time.Time, r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.paths[r.Path].at(now, b.ttl)
	r = r.at(now, b.ttl)
	if r.At.IsZero() || r.At.Before(old.At) {
		return
	}
	if _, known := b.paths[r.Path]; !known && len(b.paths) >= b.max {
		b.evict(now)
	}
	b.paths[r.Path] = merge(old, r)
}

// Of returns what is known of a target's paths, TCP before QUIC, without the
// figures that are too old by now. It is the form that [Recommend] wants.
func (b *Book) Of(now time.Time, t Target) []Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	var results []Result
	for _, tr := range t.Transports() {
		if r := b.paths[Path{t, tr}].at(now, b.ttl); !r.At.IsZero() {
			results = append(results, r)
		}
	}
	return results
}

// All returns the results of all paths, as Of does, in no order.
func (b *Book) All(now time.Time) iter.Seq[Result] {
	b.mu.Lock()
	known := slices.Collect(maps.Values(b.paths))
	b.mu.Unlock()
	return func(yield func(Result) bool) {
		for _, r := range known {
			if r = r.at(now, b.ttl); !r.At.IsZero() && !yield(r) {
				return
			}
		}
	}
}

// evict makes room for one path: all that is too old goes, else the oldest.
func (b *Book) evict(now time.Time) {
	var oldest Result
	for p, r := range b.paths {
		switch {
		case r.at(now, b.ttl).At.IsZero():
			delete(b.paths, p)
		case oldest.At.IsZero() || r.At.Before(oldest.At):
			oldest = r
		}
	}
	if len(b.paths) >= b.max {
		delete(b.paths, oldest.Path)
	}
}

// at is what of a result can still be believed; the zero result where nothing.
func (r Result) at(now time.Time, ttl time.Duration) Result {
	old := func(t time.Time) bool { return now.Sub(t) >= ttl }
	if old(r.At) {
		return Result{}
	}
	if old(r.Down.At) {
		r.Down = Transfer{}
	}
	if old(r.Up.At) {
		r.Up = Transfer{}
	}
	return r
}

// merge is what is believed of a path after a newer result. What it didn't
// measure stays as it was, with its age.
func merge(old, r Result) Result {
	if old.At.IsZero() || old.Err != nil || r.Err != nil {
		return r
	}
	r.RTT = RTT{
		Min:    smooth(old.RTT.Min, r.RTT.Min),
		Median: smooth(old.RTT.Median, r.RTT.Median),
	}
	r.Down = mergeTransfer(old.Down, r.Down)
	r.Up = mergeTransfer(old.Up, r.Up)
	return r
}

func mergeTransfer(old, t Transfer) Transfer {
	switch {
	case t.At.IsZero():
		return old
	case t.Err != nil || old.Err != nil:
		return t
	}
	t.Goodput = smooth(old.Goodput, t.Goodput)
	// Packets of a few megabytes are few where loss is rare. The older half
	// as much each time makes room for the newer.
	t.Loss = Loss{Sent: t.Loss.Sent + old.Loss.Sent/2, Lost: t.Loss.Lost + old.Loss.Lost/2}
	return t
}

// smooth is an exponentially weighted mean of weight 1/2; zero is unknown.
func smooth[N shoal.Rate | time.Duration](old, n N) N {
	if old == 0 || n == 0 {
		return max(old, n)
	}
	return old/2 + n/2
}
