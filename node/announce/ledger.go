package announce

import (
	"maps"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Snapshot is all that a node has to tell at one moment.
type Snapshot struct {
	Node     api.NodeInfo
	Holdings []api.Holding       // one for each content
	SubTasks []api.SubTaskReport // one for each task whose outcome may not have been delivered
	Paths    []api.Path          // to other carriers, at most [api.MaxPaths]
	Lonely   bool                // a content is fetched and none of its known peers is there any more
}

// urgency says how soon a difference must be told.
type urgency int

const (
	nothing  urgency = iota
	progress         // more of the same: soon enough within a second
	news             // something began, ended or went wrong: now
)

// What the parts of an announce take as JSON, rounded up, and how much of
// [api.MaxAnnounceBytes] they may fill. The list of contents gone has what is
// left: MaxHoldings/2 of them take 670 KB.
const (
	holdingBytes = 200
	reportBytes  = 400
	faultBytes   = 250
	budget       = api.MaxAnnounceBytes - 1<<20
)

// ledger is what the tracker has acknowledged.
type ledger struct {
	full     bool // the tracker knows nothing: the next announce must tell all
	node     api.NodeInfo
	holdings map[shoal.ContentID]api.Holding
	subTasks map[string]api.SubTaskReport
	paths    map[line]int64 // bytes
}

func newLedger() *ledger {
	return &ledger{
		full:     true,
		holdings: make(map[shoal.ContentID]api.Holding),
		subTasks: make(map[string]api.SubTaskReport),
		paths:    make(map[line]int64),
	}
}

// reset forgets all: the tracker lost what it was told.
func (l *ledger) reset() { *l = *newLedger() }

// delta is the announce that brings the tracker from what it acknowledged
// nearer to s, without the fields that concern one exchange only (Session,
// Seq, Cursor, Wait, Leaving). Where the difference does not fit in one
// announce, the next delta has the rest, and both are news.
func (l *ledger) delta(s Snapshot) (api.Announce, urgency) {
	msg := api.Announce{Node: s.Node, Full: l.full}
	most := nothing
	if l.full || !sameNode(l.node, s.Node) {
		most = news
	}
	room := budget
	for _, h := range s.Holdings {
		old, known := l.holdings[h.Content]
		u := compareHoldings(old, h, known)
		if u == nothing {
			continue
		}
		if room -= holdingBytes + len(h.Pieces.Bits); room < 0 || len(msg.Holdings) == api.MaxHoldings {
			most = news
			break
		}
		msg.Holdings = append(msg.Holdings, h)
		most = max(most, u)
	}
	has := make(map[shoal.ContentID]struct{}, len(s.Holdings))
	for _, h := range s.Holdings {
		has[h.Content] = struct{}{}
	}
	for id := range l.holdings {
		if _, ok := has[id]; !ok && len(msg.Gone) < api.MaxHoldings/2 {
			msg.Gone = append(msg.Gone, id)
			most = news
		}
	}
	for _, r := range s.SubTasks {
		old, known := l.subTasks[r.Task]
		u := compareReports(old, r, known)
		if u == nothing {
			continue
		}
		if room -= reportSize(r); room < 0 || len(msg.SubTasks) == api.MaxReports {
			most = news
			break
		}
		msg.SubTasks = append(msg.SubTasks, r)
		most = max(most, u)
	}
	paths, u := l.changedPaths(s.Paths)
	msg.Paths = paths
	return msg, max(most, u)
}

func reportSize(r api.SubTaskReport) int {
	n := reportBytes + len(r.Error) + len(r.Faults)*faultBytes
	for _, f := range r.Faults {
		n += len(f.Name) + len(f.Reason)
	}
	return n
}

// acknowledge records that the tracker has processed msg, and returns the
// tasks whose final report it carried.
func (l *ledger) acknowledge(msg api.Announce) (final []string) {
	if msg.Full {
		clear(l.holdings)
		l.full = false
	}
	l.node = msg.Node
	for _, h := range msg.Holdings {
		l.holdings[h.Content] = h
	}
	for _, id := range msg.Gone {
		delete(l.holdings, id)
	}
	l.keepPaths(msg.Paths)
	for _, r := range msg.SubTasks {
		l.subTasks[r.Task] = r
		if r.State.Final() {
			final = append(final, r.Task)
		}
	}
	return final
}

// forget drops the acknowledged reports of tasks that the node no longer
// keeps, so that the ledger does not grow with the node's past.
func (l *ledger) forget(s Snapshot) {
	if len(l.subTasks) == 0 {
		return
	}
	keep := make(map[string]struct{}, len(s.SubTasks))
	for _, r := range s.SubTasks {
		keep[r.Task] = struct{}{}
	}
	maps.DeleteFunc(l.subTasks, func(task string, _ api.SubTaskReport) bool {
		_, ok := keep[task]
		return !ok
	})
}

func sameNode(a, b api.NodeInfo) bool {
	same := slices.Equal(a.Addrs, b.Addrs) && slices.Equal(a.Gateway, b.Gateway)
	return same && a.ID == b.ID && a.Name == b.Name && a.HTTP == b.HTTP && a.Up == b.Up && a.Down == b.Down &&
		a.Guest == b.Guest && a.Version == b.Version && a.Locality == b.Locality
}

func compareHoldings(old, cur api.Holding, known bool) urgency {
	switch {
	case !known || old.Role != cur.Role || old.Pieces.Total != cur.Pieces.Total:
		return news
	case old.Pieces != cur.Pieces:
		return progress
	}
	return nothing
}

// compareReports leaves Seconds and Why out: time passing is no news.
func compareReports(old, cur api.SubTaskReport, known bool) urgency {
	switch {
	case !known || old.State != cur.State || old.Error != cur.Error || old.Priority != cur.Priority:
		return news
	case old.Pieces != cur.Pieces || old.Bytes != cur.Bytes || !slices.Equal(old.Faults, cur.Faults):
		return progress
	}
	return nothing
}
