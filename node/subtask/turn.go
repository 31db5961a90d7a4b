package subtask

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// turn returns those of the orders that wait which begin now, the first first, where most
// contents are to be fetched at a time.
func turn(tasks map[string]*task, most int) (begin []*task) {
	under := underWay(tasks)
	var waiting []*task
	for _, t := range tasks {
		if !t.waiting() {
			continue
		}
		if _, shared := under[t.Order.Content]; shared || t.here {
			begin = append(begin, t)
		} else {
			waiting = append(waiting, t)
		}
	}
	for room := room(under, most); room > 0 && len(waiting) > 0; room-- {
		id := slices.MinFunc(waiting, sooner).Order.Content
		of := func(t *task) bool { return t.Order.Content == id }
		for _, t := range waiting {
			if of(t) {
				begin = append(begin, t)
			}
		}
		waiting = slices.DeleteFunc(waiting, of)
	}
	slices.SortFunc(begin, sooner)
	return begin
}

// sooner orders those that wait: what a restart interrupted goes on, then comes the
// higher priority, then the older order.
func sooner(a, b *task) int {
	if begun := !a.Began.IsZero(); begun != !b.Began.IsZero() {
		if begun {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Order.Priority, a.Order.Priority), a.Accepted.Compare(b.Accepted), cmp.Compare(a.Order.Task, b.Order.Task))
}

// underWay has the contents that are fetched for orders, and whether they move.
func underWay(tasks map[string]*task) map[shoal.ContentID]bool {
	under := make(map[shoal.ContentID]bool)
	for _, t := range tasks {
		if t.running() {
			under[t.Order.Content] = under[t.Order.Content] || !t.pulse.stalled
		}
	}
	return under
}

// room is how many further contents may begin.
func room(under map[shoal.ContentID]bool, most int) int {
	moving := 0
	for _, moves := range under {
		if moves {
			moving++
		}
	}
	return max(0, min(most-moving, mostUnderWay*most-len(under)))
}

const (
	// mostUnderWay, times as many as may move, are under way in total: when what they all
	// wait for is back, such as the tracker, no more than these move at once.
	mostUnderWay = 4
	// stalledAfter is how long nothing has come of a content when its fetch no longer
	// counts.
	stalledAfter = 5 * time.Second
	// feelEvery is how often that is looked at.
	feelEvery = time.Second
)

// pulse tells whether a fetch moves.
type pulse struct {
	pieces  int
	bytes   api.Bytes
	moved   time.Time // when any of these last differed
	stalled bool
}

// feel looks at what has come by now. While the node is busy with what it has, nothing can.
func (p *pulse) feel(ty library.Tally, busy bool, now time.Time) {
	if busy || ty.Pieces != p.pieces || ty.Bytes != p.bytes {
		p.pieces, p.bytes, p.moved = ty.Pieces, ty.Bytes, now
	}
	p.stalled = now.Sub(p.moved) >= stalledAfter
}
