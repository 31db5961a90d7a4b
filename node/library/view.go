package library

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Holdings is what to announce (M2). lonely says that one of the contents is
// fetched without any peer to fetch it from.
func (l *Library) Holdings() (hs []tapi.Holding, lonely bool) {
	for _, u := range l.all() {
		h, alone, ok := u.holding()
		if ok {
			hs = append(hs, h)
		}
		lonely = lonely || alone
	}
	return hs, lonely
}

// Contents describes all contents in the order of their names.
func (l *Library) Contents() []api.Content {
	us := l.all()
	cs := make([]api.Content, 0, len(us))
	for _, u := range us {
		cs = append(cs, u.describe())
	}
	slices.SortFunc(cs, func(a, b api.Content) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return cs
}

// Content describes one content; [shoal.ErrNotFound] where there is none of it.
func (l *Library) Content(id shoal.ContentID) (api.Content, error) {
	u := l.find(id)
	if u == nil {
		return api.Content{}, fmt.Errorf("content %s: %w on this node", id.Short(), shoal.ErrNotFound)
	}
	return u.describe(), nil
}

// Busy reports whether a content waits for nobody but this node, which hashes what it has of
// it or moves that to its place.
func (l *Library) Busy(id shoal.ContentID) bool {
	u := l.find(id)
	return u != nil && u.busy.Load()
}

// Coming reports whether a content is here, or on its way: wanting it costs no more.
func (l *Library) Coming(id shoal.ContentID) bool {
	u := l.find(id)
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.running && (u.complete || u.wanted || u.hosted != nil)
}

// Tally is what a content has cost and brought so far, over all restarts.
type Tally struct {
	Pieces int // held
	Bytes  tapi.Bytes
	Faults []tapi.Fault
	Why    tapi.Why // where the seconds of fetching it went
}

// Tally is zero for a content that is not here.
func (l *Library) Tally(id shoal.ContentID) Tally {
	u := l.find(id)
	if u == nil {
		return Tally{}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.rec.with(u.session)
	return Tally{Pieces: u.held().Count, Bytes: r.Bytes, Faults: r.Faults, Why: r.Why}
}

// Totals are the counters of all contents, those removed since the start among
// them, so that they never fall.
type Totals struct {
	Received tapi.Bytes // payload, as in [Tally]
	Why      tapi.Why   // likewise
	Sent     int64      // payload bytes since the start
}

func (t Totals) add(more Totals) Totals {
	return Totals{Received: add(t.Received, more.Received), Why: addWhy(t.Why, more.Why), Sent: t.Sent + more.Sent}
}

// Totals adds up the contents.
func (l *Library) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.removed
	for _, u := range l.units {
		sum = sum.add(u.totals())
	}
	return sum
}

func (u *unit) totals() Totals {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.rec.with(u.session)
	return Totals{Received: r.Bytes, Why: r.Why, Sent: u.sent + u.stats().Sent}
}

// stats is the session's; zero while there is none. The caller holds mu.
func (u *unit) stats() swarm.Stats {
	if u.session == nil {
		return swarm.Stats{}
	}
	return u.session.Stats()
}

// held is which pieces are here. The caller holds mu.
func (u *unit) held() shoal.Pieces {
	switch {
	case u.manifest == nil:
		return shoal.Pieces{}
	case u.complete: // spares copying the bitmaps of all that is merely served
		return shoal.Pieces{Total: u.manifest.NumPieces(), Count: u.manifest.NumPieces()}
	case u.content == nil:
		return shoal.Pieces{Total: u.manifest.NumPieces()}
	}
	return u.content.Pieces().Pieces()
}

// role is the unit's part in the swarm. The caller holds mu.
func (u *unit) role() tapi.Role {
	switch {
	case u.inPlace:
		return tapi.Origin
	case u.complete:
		return tapi.Holder
	}
	return tapi.Fetcher
}

// holding is what to announce; not ok where the unit is in no swarm, since
// then it can neither serve nor fetch.
func (u *unit) holding() (h tapi.Holding, lonely, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.session == nil {
		return h, false, false
	}
	h = tapi.Holding{Content: u.id, Role: u.role(), Pieces: u.held()}
	if h.Role != tapi.Fetcher && h.Pieces.Count < h.Pieces.Total {
		return h, false, false // a file in place has changed, and the swarm is about to end
	}
	lonely = h.Role == tapi.Fetcher && h.Pieces.Count < h.Pieces.Total && u.session.Stats().Peers == 0
	return h, lonely, true
}

func (u *unit) describe() api.Content {
	u.mu.Lock()
	defer u.mu.Unlock()
	stats := u.stats()
	held := u.held()
	c := api.Content{
		ID: u.id, Role: u.role(), Path: u.path(),
		Pieces: held.Total, PiecesHeld: held.Count,
		Peers: stats.Peers, Sent: u.sent + stats.Sent,
	}
	r := u.rec.with(u.session)
	c.Bytes, c.Faults = r.Bytes, r.Faults
	if u.manifest != nil {
		c.Name, c.Size, c.PieceLength = u.manifest.Name(), u.manifest.Size(), u.manifest.PieceLength()
	}
	if u.err != nil {
		c.Error = u.err.Error()
	}
	return c
}
