package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/supply"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// maxAhead is for how many contents something is asked ahead of time at once.
const maxAhead = 8

// aheads are the leases that were asked for before their contents' manifests were here.
// It is safe for concurrent use.
type aheads struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	byContent map[shoal.ContentID]*supply.Ahead
}

func newAheads() *aheads {
	a := &aheads{byContent: make(map[shoal.ContentID]*supply.Ahead)}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// close gives back what nobody has taken. There is no add after it.
func (a *aheads) close() error {
	a.stop()
	a.running.Wait()
	return nil
}

// take hands a content's over; nil: there is none.
func (a *aheads) take(id shoal.ContentID) *supply.Ahead {
	a.mu.Lock()
	defer a.mu.Unlock()
	ahead := a.byContent[id]
	delete(a.byContent, id)
	return ahead
}

// drop has a content's given back, where it has not been taken.
func (a *aheads) drop(id shoal.ContentID) {
	if ahead := a.take(id); ahead != nil {
		ahead.Drop()
	}
}

// add begins what begin makes for a content, unless that is under way.
func (a *aheads) add(id shoal.ContentID, begin func() *supply.Ahead) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.byContent, func(_ shoal.ContentID, ahead *supply.Ahead) bool { return ahead.Over() })
	if a.byContent[id] != nil || len(a.byContent) >= maxAhead {
		return
	}
	ahead := begin()
	a.byContent[id] = ahead
	a.running.Go(func() { ahead.Run(a.ctx) })
}

// askAhead asks for leases for those orders in a reply that will not be carried out without
// one (package supply's policy): for this node alone, of what only peers in other
// carriers have. What would wait for other tasks, its lease would expire.
func (n *Node) askAhead(r tapi.Reply) {
	own, room := n.hub.Locality().Carrier, n.tasks.Room()
	for _, o := range r.SubTasks {
		peers := r.Peers[o.Content]
		near := func(p tapi.Peer) bool { return p.Carrier == "" || p.Carrier == own }
		if room == 0 || o.Cancel || o.Shared || own == "" || len(peers) == 0 || slices.ContainsFunc(peers, near) {
			continue
		}
		if _, err := n.library.Content(o.Content); !errors.Is(err, shoal.ErrNotFound) {
			continue // whatever of it is here, its manifest is as well
		}
		room--
		n.ahead.add(o.Content, func() *supply.Ahead {
			return supply.NewAhead(n.tracker, tapi.LeaseRequest{
				Node: n.host.ID(), Session: n.announcer.Session(), Content: o.Content, Task: o.Task, Reason: tapi.CrossCarrier,
			}, n.cfg.WebGuard, n.log)
		})
	}
}

// dropAhead gives back what was asked for orders that are over: cancelled or refused.
func (n *Node) dropAhead(orders []tapi.SubTaskOrder) {
	for _, o := range orders {
		if n.tasks.For(o.Content) == "" {
			n.ahead.drop(o.Content)
		}
	}
}
