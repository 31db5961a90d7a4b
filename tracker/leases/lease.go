package leases

import (
	"container/heap"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// lease is one lease, and afterwards the time to settle.
type lease struct {
	id        string
	node      shoal.NodeID
	upstream  api.Upstream
	runs      []api.Run
	bytes     int64
	used      int64
	rate      shoal.Rate // that its node may read at; 0: no bound
	reserved  shoal.Rate // of a gateway's capacity
	exclusive bool       // nobody else in the carrier is leased its pieces

	book    *book
	ledger  *ledger
	asker   *asker
	account *account // nil: not charged
	origin  *origin  // nil: the upstream is none

	granted time.Time
	ends    time.Time
	moved   time.Time // when what was used last grew, to shown
	shown   int64
	over    bool // it has ended; its pieces settle
	place   int  // in endings
}

// use records how much the upstream has sent. That may be more than the pieces
// have, which is charged at once: some came twice, or in part. What a node says
// beyond twice their size makes no sense.
func (l *lease) use(n int64) {
	before := l.charge()
	l.used = max(l.used, min(n, 2*l.bytes))
	if l.account != nil {
		l.account.reserve(l.charge() - before)
	}
}

// charge is what its account reserves for it.
func (l *lease) charge() int64 { return max(l.bytes, l.used) }

// longest is how long a lease may be renewed: others wait for its pieces.
const longest = 5 * time.Minute

// progress is asked at each renewal. It reports whether more was read than at
// the one before, fast enough to come to an end; a request that is repeated
// since its answer got lost may say the same again.
func (l *lease) progress(now time.Time) bool {
	if l.used > l.shown {
		l.shown, l.moved = l.used, now
	}
	age := now.Sub(l.granted)
	inTime := float64(l.used)*longest.Seconds() >= float64(l.bytes)*age.Seconds()
	return now.Sub(l.moved) < leaseTTL/4 && (inTime || age < leaseTTL/4)
}

// heldBytes is the size of its pieces that the carrier is known to hold.
func (l *lease) heldBytes() (n int64) {
	if !l.exclusive {
		return 0
	}
	for piece := range pieces(l.runs) {
		if l.ledger.held.Has(piece) {
			n += l.book.content.bytes(api.Run{First: piece, Count: 1})
		}
	}
	return n
}

func (l *lease) api(now time.Time, connections int) *api.Lease {
	return &api.Lease{
		ID: l.id, Upstream: l.upstream, Pieces: l.runs, Bytes: l.bytes, Rate: l.rate,
		Connections: connections, Expires: l.ends.Sub(now).Seconds(),
	}
}

// endings are leases by when they end, the soonest first.
type endings []*lease

func (e *endings) add(l *lease, at time.Time) {
	l.ends = at
	heap.Push(e, l)
}

func (e *endings) move(l *lease, at time.Time) {
	l.ends = at
	heap.Fix(e, l.place)
}

func (e *endings) remove(l *lease) { heap.Remove(e, l.place) }

// due returns a lease whose end has come, nil if there is none.
func (e endings) due(now time.Time) *lease {
	if len(e) == 0 || e[0].ends.After(now) {
		return nil
	}
	return e[0]
}

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].ends.Before(e[j].ends) }
func (e endings) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}

func (e *endings) Push(x any) {
	l := x.(*lease)
	l.place = len(*e)
	*e = append(*e, l)
}

func (e *endings) Pop() any {
	old := *e
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*e = old[:len(old)-1]
	return l
}
