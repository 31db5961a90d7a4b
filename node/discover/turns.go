package discover

import (
	"context"
	"slices"
	"time"
)

const (
	maxPlaces = 256         // contents that sources are asked for at a time, and manifests
	turnTime  = time.Minute // for which a content keeps its place while others wait
)

// job is the search for one content's peers.
type job struct {
	since   time.Time            // it is wanted
	placed  bool                 // it has one of the places
	turn    time.Time            // when it got its place, or gave it up; zero: it never had one
	cancels []context.CancelFunc // of each source; nil while it is not asked
}

func (j *job) stop(source int) {
	if j.cancels[source] != nil {
		j.cancels[source]()
		j.cancels[source] = nil
	}
}

// rotate gives the places to jobs in turn. Who has waited longest comes first, before
// all others who never had a place. Where none is free, one whose time is over gives
// way, or as many as there are jobs that never had any: contents that nobody has
// keep no other from being looked for, and most searches go on undisturbed. It is pure.
func rotate(jobs []*job, now time.Time) {
	var placed, waiting []*job
	fresh := 0
	for _, j := range jobs {
		switch {
		case j.placed:
			placed = append(placed, j)
			continue
		case j.turn.IsZero():
			fresh++
		}
		waiting = append(waiting, j)
	}
	free := maxPlaces - len(placed)
	byTurn := func(a, b *job) int { return a.turn.Compare(b.turn) }
	if wish := min(max(fresh, 1), len(waiting)) - free; wish > 0 {
		slices.SortStableFunc(placed, byTurn)
		for _, j := range placed[:min(wish, len(placed))] {
			if now.Sub(j.turn) < turnTime {
				break
			}
			j.placed, j.turn = false, now
			free++
		}
	}
	slices.SortStableFunc(waiting, byTurn)
	for _, j := range waiting[:min(free, len(waiting))] {
		j.placed, j.turn = true, now
	}
}
