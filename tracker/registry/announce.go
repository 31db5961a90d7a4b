package registry

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Ticket stands for an announce whose answer is due.
type Ticket struct {
	node   shoal.NodeID
	turn   uint64
	cursor uint64

	Resync  bool // nothing was taken in: the node has to announce in full
	Stale   bool // nothing was taken in: a later announce of the session came first
	Started bool // it opened a session
	Full    bool // it said all, as until the node has had an answer in the session
}

// Announce takes in an announce that has been validated. A name that another
// live node has is [shoal.ErrConflict]; a dead node loses its name. Bounds of
// what a node may hold are [shoal.ErrInvalid] and leave the announce half taken in.
func (r *Registry) Announce(now time.Time, a *api.Announce) (Ticket, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Ticket{node: a.Node.ID, cursor: a.Cursor}
	n := r.nodes[a.Node.ID]
	if known := n != nil && n.session == a.Session; !known && !a.Full {
		t.Resync = !a.Leaving // one that stops has nothing to be known for
		return t, nil
	} else if known && a.Seq != 0 && a.Seq <= n.seq {
		t.Stale = true
		return t, nil
	}
	n, err := r.admit(now, n, a)
	if err != nil {
		return t, err
	}
	r.turns++
	n.turn, n.seq, n.seen, t.turn, t.Full = r.turns, a.Seq, now, r.turns, a.Full
	if n.session != a.Session {
		n.session, t.Started = a.Session, true
		n.bump() // the order of the tracker's state of the node: it is answered at once
		t.cursor = 0
	}
	if t.cursor > n.version {
		t.cursor = 0 // of an earlier life of the tracker
	}
	n.bell.Ring() // releases the announce before this one
	if a.Leaving {
		r.kill(n)
		return t, nil
	}
	if a.Full {
		r.dropAllBut(n, a.Holdings)
	}
	for _, id := range a.Gone {
		r.drop(n, id)
	}
	for i := range a.Holdings {
		if err := r.hold(n, &a.Holdings[i]); err != nil {
			return t, err
		}
	}
	r.refresh(n, t.cursor)
	return t, nil
}

// admit makes the announcing node known, alive and up to date; n is nil where
// it is new.
func (r *Registry) admit(now time.Time, n *node, a *api.Announce) (*node, error) {
	info := a.Node
	if owner := r.names[info.Name]; owner != nil && owner.info.ID != info.ID {
		if owner.alive {
			return nil, fmt.Errorf("node %s: %w: the name belongs to node %s, which announced %s ago; give this one another --name, or stop that one",
				info.Name, shoal.ErrConflict, owner.info.ID.Short(), now.Sub(owner.seen).Round(time.Second))
		}
		r.forget(owner)
	}
	switch {
	case n == nil:
		if len(r.nodes) >= maxNodes {
			return nil, fmt.Errorf("node %s: %w: %d nodes are registered", info.Name, shoal.ErrUnavailable, len(r.nodes))
		}
		n = r.add(info)
	case n.info.Name != info.Name:
		if r.names[n.info.Name] == n {
			delete(r.names, n.info.Name)
		}
		r.names[info.Name] = n
	}
	switch {
	case !samePlace(&n.info, &info):
		n.bump() // it is to learn of it
		fallthrough
	case addrKey(info.Addrs) != n.key, (len(n.info.Gateway) > 0) != (len(info.Gateway) > 0):
		r.move(n, info)
	default:
		n.set(info)
	}
	if !n.alive {
		n.alive = true
		r.alive++
		r.settle(n, true)
	}
	return n, nil
}

// move keeps the swarms' order while a node's place changes.
func (r *Registry) move(n *node, info api.NodeInfo) {
	for id, h := range n.holdings {
		r.swarms[id].remove(n, h.role)
	}
	r.settle(n, false)
	n.set(info)
	r.settle(n, n.alive)
	for id, h := range n.holdings {
		r.swarms[id].add(n, h.role)
	}
}

func (r *Registry) dropAllBut(n *node, keep []api.Holding) {
	kept := make(map[shoal.ContentID]bool, len(keep))
	for i := range keep {
		kept[keep[i].Content] = true
	}
	for id := range n.holdings {
		if !kept[id] {
			r.drop(n, id)
		}
	}
}

// hold records one holding.
func (r *Registry) hold(n *node, a *api.Holding) error {
	next := &holding{role: a.Role, count: a.Pieces.Count, total: a.Pieces.Total}
	if next.count != 0 && next.count != next.total {
		set, err := a.Pieces.Set()
		if err != nil {
			return fmt.Errorf("holding of %s: %w", a.Content.Short(), err)
		}
		next.set = set
	}
	h := n.holdings[a.Content]
	if h == nil {
		if len(n.holdings) >= maxHoldings {
			return fmt.Errorf("node %s: %w: more than %d contents", n.info.Name, shoal.ErrInvalid, maxHoldings)
		}
		h = new(holding)
	}
	size := n.setBytes - h.setBytes() + next.setBytes()
	if size > maxSetBytes {
		return fmt.Errorf("node %s: %w: piece sets of incomplete contents take more than %d bytes", n.info.Name, shoal.ErrInvalid, maxSetBytes)
	}
	n.setBytes = size
	old := h.role
	if old != "" && old != next.role {
		r.leave(n, a.Content, h)
	}
	h.role, h.count, h.total, h.set = next.role, next.count, next.total, next.set
	n.holdings[a.Content] = h
	if old != next.role {
		r.join(n, a.Content, h)
	}
	return nil
}

// refresh forgets news that the node has processed and, where it asks for
// everything anew, makes all it fetches news again.
func (r *Registry) refresh(n *node, cursor uint64) {
	n.processed(cursor)
	for id, version := range n.news {
		if version <= cursor {
			delete(n.news, id)
		}
	}
	if cursor > 0 {
		return
	}
	for id, h := range n.holdings {
		if _, told := n.news[id]; h.role == api.Fetcher && !told {
			n.tell(id)
		}
	}
}

// Due reports whether a ticket's answer is due: there is news, or a later
// announce came. If not, the channel is closed when that may have changed.
func (r *Registry) Due(t Ticket) (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.current(t)
	if n == nil || n.version > t.cursor {
		return true, nil
	}
	return false, n.bell.Listen()
}

// Hold marks that the ticket's answer is held back, which shows that its node
// is alive. The caller calls the returned function when that is over.
func (r *Registry) Hold(t Ticket) (release func(now time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[t.node]
	if n == nil {
		return func(time.Time) {}
	}
	n.held++
	return func(now time.Time) {
		r.mu.Lock()
		defer r.mu.Unlock()
		n.held--
		if n.alive && n.turn == t.turn {
			n.seen = now
		}
	}
}

// Collect answers a ticket with the news since its cursor: for every content
// with new peers up to 50, the nearest first, by [shoal.Locality.Nearness] and
// then by common address prefix, at random among equals. Shares of them are
// kept for origins, for holders and for nodes elsewhere. The asking node and
// dead ones are never among them. A ticket that isn't its node's last gets an
// empty answer. Sub-task orders are not the registry's: ok says that the caller may add them.
func (r *Registry) Collect(t Ticket) (reply api.Reply, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reply = api.Reply{Cursor: t.cursor, Interval: Interval.Seconds(), Resync: t.Resync}
	n := r.current(t)
	if n == nil {
		return reply, false
	}
	for id, version := range n.news {
		if version > t.cursor {
			if reply.Peers == nil {
				reply.Peers = make(map[shoal.ContentID][]api.Peer)
			}
			reply.Peers[id] = r.peers(n, id)
		}
	}
	if t.Full {
		reply.Known = r.known(n)
	}
	reply.Dial = n.dialsSince(t.cursor)
	reply.Locality, reply.Homes = n.info.Locality, n.info.Place.Homes
	reply.Cursor = n.version
	return reply, true
}

// current returns the ticket's node while the ticket is its last and it lives.
func (r *Registry) current(t Ticket) *node {
	if n := r.nodes[t.node]; n != nil && n.alive && n.turn == t.turn && !t.Resync && !t.Stale {
		return n
	}
	return nil
}
