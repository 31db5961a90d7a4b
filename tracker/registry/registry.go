package registry

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	// Interval is how often a node announces at the latest.
	Interval = 10 * time.Second
	// DeadAfter is how long a node may be silent: three intervals.
	DeadAfter = 3 * Interval
	// forgetAfter is how long a dead node is listed.
	forgetAfter = 7 * 24 * time.Hour

	maxNodes    = 200_000
	maxHoldings = 200_000  // a node
	maxSetBytes = 64 << 20 // of a node's incomplete piece sets
)

// Registry holds the soft state. It is safe for concurrent use.
//
// One mutex guards all of it: no operation under it does I/O or takes longer
// than its own changes, and an announce touches many contents at once, so
// that locks by content would have to be taken in numbers and in order.
type Registry struct {
	mu     sync.Mutex
	rng    *rand.Rand
	nodes  map[shoal.NodeID]*node
	names  map[string]*node // who owns a name, alive or dead
	swarms map[shoal.ContentID]*swarm
	alive  int
	// residents are the live nodes that are no guests.
	residents *members
	turns     uint64 // numbers announces over all sessions, so that a ticket names one for good
}

// New returns an empty registry; rng decides among equally near peers.
func New(rng *rand.Rand) *Registry {
	return &Registry{
		rng:    rng,
		nodes:  make(map[shoal.NodeID]*node),
		names:  make(map[string]*node),
		swarms: make(map[shoal.ContentID]*swarm),

		residents: newMembers(),
	}
}

// Restore makes known a node from the time before a restart: it is listed as
// dead until it announces.
func (r *Registry) Restore(n api.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes[n.ID] != nil || r.names[n.Name] != nil {
		return
	}
	r.add(n.NodeInfo).seen = n.Seen
}

func (r *Registry) add(info api.NodeInfo) *node {
	n := &node{holdings: make(map[shoal.ContentID]*holding), news: make(map[shoal.ContentID]uint64)}
	n.set(info)
	r.nodes[info.ID] = n
	r.names[info.Name] = n
	return n
}

// Sweep declares dead the nodes that were silent for [DeadAfter], forgets
// those dead for a week, and returns what it declared dead.
func (r *Registry) Sweep(now time.Time) []api.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	var dead []api.Node
	for _, n := range r.nodes {
		switch silent := now.Sub(n.seen); {
		case n.alive && n.held == 0 && silent > DeadAfter:
			dead = append(dead, n.api())
			r.kill(n)
		case !n.alive && (silent > forgetAfter || n.info.Guest):
			r.forget(n)
		}
	}
	for i := range dead {
		dead[i].Alive, dead[i].Contents = false, 0
	}
	return dead
}

// kill forgets what n holds and keeps that it existed.
func (r *Registry) kill(n *node) {
	for id := range n.holdings {
		r.drop(n, id)
	}
	r.settle(n, false)
	n.session, n.alive, n.dials = "", false, nil
	clear(n.news)
	r.alive--
	n.bell.Ring()
}

func (r *Registry) forget(n *node) {
	if n.alive {
		r.kill(n)
	}
	delete(r.nodes, n.info.ID)
	if r.names[n.info.Name] == n {
		delete(r.names, n.info.Name)
	}
}

// Nodes lists all nodes in the order of their names.
func (r *Registry) Nodes() []api.Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]api.Node, 0, len(r.nodes))
	for _, n := range r.nodes {
		list = append(list, n.api())
	}
	slices.SortFunc(list, func(a, b api.Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Node returns one node, by its ID.
func (r *Registry) Node(id shoal.NodeID) (api.Node, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[id]
	if n == nil {
		return api.Node{}, false
	}
	return n.api(), true
}

// Alive is the number of live nodes.
func (r *Registry) Alive() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alive
}

// Notify tells a node that there is news outside the registry: an order.
func (r *Registry) Notify(id shoal.NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.nodes[id]; n != nil {
		n.bump()
	}
}

// Count fills in how many live nodes have a part in c.
func (r *Registry) Count(c *api.Content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.swarms[c.ID]; s != nil {
		c.Origins = s.members[api.Origin].len()
		c.Holders = c.Origins + s.members[api.Holder].len()
		c.Fetchers = s.members[api.Fetcher].len()
	}
}

// Complete returns the live nodes that have all of a content.
func (r *Registry) Complete(id shoal.ContentID) []api.NodeInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []api.NodeInfo
	if s := r.swarms[id]; s != nil {
		for _, role := range []api.Role{api.Origin, api.Holder} {
			for n := range s.members[role].all() {
				list = append(list, n.info)
			}
		}
	}
	return list
}

// Held returns the pieces of a content that a live node is known to have, nil
// if it takes no part in it (M2). The set is the caller's.
func (r *Registry) Held(id shoal.NodeID, content shoal.ContentID) *shoal.PieceSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[id]
	if n == nil || n.holdings[content] == nil {
		return nil
	}
	return n.holdings[content].pieces()
}

// Select resolves the names of a new task to live nodes, in the order of
// their names. Names that are unknown, dead or a guest's are an error that
// lists them. "all" leaves out the origins of the content but where it is zero.
func (r *Registry) Select(names []string, but shoal.ContentID) ([]api.NodeInfo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	chosen := make(map[shoal.NodeID]api.NodeInfo)
	var unknown, dead, guests []string
	for _, name := range names {
		if name == api.AllNodes {
			for _, n := range r.nodes {
				h := n.holdings[but]
				if n.alive && !n.info.Guest && (h == nil || h.role != api.Origin) {
					chosen[n.info.ID] = n.info
				}
			}
			continue
		}
		switch n := r.names[name]; {
		case n == nil:
			unknown = append(unknown, name)
		case !n.alive:
			dead = append(dead, name)
		case n.info.Guest:
			guests = append(guests, name)
		default:
			chosen[n.info.ID] = n.info
		}
	}
	if err := refusal(unknown, dead, guests); err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: no live nodes that could take it", shoal.ErrNotFound)
	}
	list := make([]api.NodeInfo, 0, len(chosen))
	for _, n := range chosen {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b api.NodeInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}
