package peerbook

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	maxEntries   = 256
	maxUnvouched = maxEntries / 2 // that no tracker named
	maxAddrs     = 16
	forgetAfter  = 30 * 24 * time.Hour // without a sign of the node
	// notable is by how much a node must have been seen later for that alone to be
	// worth a write.
	notable = time.Minute
)

// Entry is one node of a book.
type Entry struct {
	ID    shoal.NodeID `json:"id"`
	Name  string       `json:"name,omitempty"`
	Addrs []string     `json:"addrs"` // libp2p multiaddrs without /p2p
	shoal.Locality
	Seen    time.Time `json:"seen"`              // when there was last a sign of it
	Vouched bool      `json:"vouched,omitempty"` // a tracker has named it
}

// table is the entries of a book. It is pure, and not safe for concurrent use.
type table struct {
	self    shoal.NodeID
	entries map[shoal.NodeID]*Entry
}

func newTable(self shoal.NodeID) *table {
	return &table{self: self, entries: make(map[shoal.NodeID]*Entry)}
}

// note takes in a sign of a node. It reports whether that is worth a write.
func (t *table) note(e Entry) (changed bool) {
	if e.ID == t.self {
		return false
	}
	e.Addrs = slices.Clone(e.Addrs)
	old := t.entries[e.ID]
	if old == nil {
		t.entries[e.ID] = &e
		t.evict()
		return t.entries[e.ID] != nil
	}
	if e.Name == "" { // whoever named it did not know more
		e.Name = old.Name
	}
	if e.Locality == (shoal.Locality{}) { // nor does a node that was never told
		e.Locality = old.Locality
	}
	e.Vouched = e.Vouched || old.Vouched
	if e.Seen.Before(old.Seen) {
		e.Seen = old.Seen
	}
	changed = e.Name != old.Name || e.Locality != old.Locality || e.Vouched != old.Vouched ||
		!slices.Equal(e.Addrs, old.Addrs) || e.Seen.Sub(old.Seen) >= notable
	if changed { // many small steps are to count too
		*old = e
	}
	return changed
}

// evict makes the table as small as it may be: the carrier with the most entries,
// of those in question, gives up the one that was seen the longest ago.
func (t *table) evict() {
	for {
		all, unvouched := len(t.entries), 0
		for _, e := range t.entries {
			if !e.Vouched {
				unvouched++
			}
		}
		switch {
		case unvouched > maxUnvouched:
			t.drop(func(e *Entry) bool { return !e.Vouched })
		case all > maxEntries:
			t.drop(func(*Entry) bool { return true })
		default:
			return
		}
	}
}

func (t *table) drop(among func(*Entry) bool) {
	count := make(map[string]int)
	for _, e := range t.entries {
		if among(e) {
			count[e.Carrier]++
		}
	}
	var victim *Entry
	for _, e := range t.entries {
		if among(e) && (victim == nil || worse(e, victim, count)) {
			victim = e
		}
	}
	delete(t.entries, victim.ID)
}

// worse reports whether a goes before b. Ties are decided by the ID, so that the
// same entries make the same table.
func worse(a, b *Entry, count map[string]int) bool {
	return cmp.Or(
		-cmp.Compare(count[a.Carrier], count[b.Carrier]),
		cmp.Compare(a.Carrier, b.Carrier),
		a.Seen.Compare(b.Seen),
		cmp.Compare(a.ID, b.ID),
	) < 0
}

// expire forgets nodes that have not been seen for long.
func (t *table) expire(now time.Time) {
	for id, e := range t.entries {
		if now.Sub(e.Seen) > forgetAfter {
			delete(t.entries, id)
		}
	}
}

// list returns up to n entries: carriers in turn, of each the newest first, those
// near to here before others.
func (t *table) list(here shoal.Locality, n int) []Entry {
	byCarrier := make(map[string][]*Entry)
	for _, e := range t.entries {
		byCarrier[e.Carrier] = append(byCarrier[e.Carrier], e)
	}
	carriers := make([]string, 0, len(byCarrier))
	for c, es := range byCarrier {
		carriers = append(carriers, c)
		slices.SortFunc(es, func(a, b *Entry) int {
			return cmp.Or(cmp.Compare(here.Nearness(a.Locality), here.Nearness(b.Locality)), b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID))
		})
	}
	slices.SortFunc(carriers, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a, here), rank(b, here)), cmp.Compare(a, b))
	})
	var out []Entry
	for i := 0; len(out) < min(n, len(t.entries)); i++ {
		for _, c := range carriers {
			if i < len(byCarrier[c]) && len(out) < n {
				out = append(out, *byCarrier[c][i])
			}
		}
	}
	return out
}

// rank puts the carrier of here first.
func rank(carrier string, here shoal.Locality) int {
	if carrier == here.Carrier {
		return 0
	}
	return 1
}
