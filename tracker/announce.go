package tracker

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// announce takes in what a node says, waits for news where it may, and answers.
// Source is the address it came from.
func (t *Tracker) announce(ctx context.Context, a *api.Announce, source netip.Addr) (api.Reply, error) {
	begun := time.Now()
	ticket, err := t.takeIn(ctx, begun, a, source)
	t.metrics.announced(time.Since(begun), ticket, err)
	if err != nil {
		return api.Reply{}, fmt.Errorf("announce: %w", err)
	}
	t.hold(ctx, ticket, time.Duration(min(a.Wait, api.MaxWait.Seconds())*float64(time.Second)))
	reply, ok := t.nodes.Collect(ticket)
	if ok {
		reply.SubTasks = t.tasks.Orders(a.Node.ID)
		t.addPeers(&reply, a.Node.ID)
	}
	return reply, nil
}

// addPeers adds the peers for what the node is ordered to fetch: it need not
// announce that it has begun before it can.
func (t *Tracker) addPeers(reply *api.Reply, node shoal.NodeID) {
	for _, o := range reply.SubTasks {
		if o.Cancel || reply.Peers[o.Content] != nil {
			continue
		}
		if peers := t.nodes.Preview(node, o.Content); peers != nil {
			if reply.Peers == nil {
				reply.Peers = make(map[shoal.ContentID][]api.Peer)
			}
			reply.Peers[o.Content] = peers
		}
	}
}

// takeIn does all of an announce but the waiting. What it confirms is durable.
func (t *Tracker) takeIn(ctx context.Context, now time.Time, a *api.Announce, source netip.Addr) (registry.Ticket, error) {
	if err := a.Validate(); err != nil {
		return registry.Ticket{}, err
	}
	var dropped []string
	if a.Node.Gateway, dropped = ownGateways(&a.Node, source); len(dropped) > 0 {
		t.log.Debug("gateways that are not at the node's own addresses are not used", "node", a.Node.Name, "gateways", dropped, "source", source)
	}
	t.locate(&a.Node, source)
	ticket, err := t.nodes.Announce(now, a)
	switch {
	case err != nil, ticket.Resync:
		return ticket, err
	case ticket.Stale: // what it says has come already, but may still be on its way to the disk
		return ticket, t.saver.Save(ctx)
	}
	t.seePaths(now, a)
	if ticket.Started || a.Leaving {
		t.leases.Forget(now, a.Node.ID)
	}
	if ticket.Started {
		t.tasks.Restarted(a.Node.ID)
		t.log.Info("node started a session", "node", a.Node.Name, "id", a.Node.ID, "guest", a.Node.Guest, "holdings", len(a.Holdings))
		if n, ok := t.nodes.Node(a.Node.ID); ok {
			if err := t.saveNodes(ctx, []api.Node{n}); err != nil {
				return ticket, err
			}
		}
	}
	unsaved, err := t.report(ctx, now, a.Node.ID, a.SubTasks)
	if err == nil && unsaved {
		err = t.saver.Save(ctx)
	}
	return ticket, err
}

// report passes sub-task reports on; tasks that are over are fetched back from
// the database, since a node may have returned to one after all.
func (t *Tracker) report(ctx context.Context, now time.Time, node shoal.NodeID, reports []api.SubTaskReport) (unsaved bool, err error) {
	if len(reports) == 0 {
		return false, nil
	}
	unknown, unsaved := t.tasks.Report(now, node, reports)
	for _, r := range unknown {
		task, err := t.db.Task(ctx, r.Task)
		if isNotFound(err) {
			continue // of another tracker, or of a database that is no more
		} else if err != nil {
			return unsaved, err
		}
		t.tasks.Add(task)
		_, more := t.tasks.Report(now, node, []api.SubTaskReport{r})
		unsaved = unsaved || more
	}
	return unsaved, nil
}

// hold waits until the ticket's answer is due, at most for wait.
func (t *Tracker) hold(ctx context.Context, ticket registry.Ticket, wait time.Duration) {
	due, changed := t.nodes.Due(ticket)
	if due || wait <= 0 {
		return
	}
	t.metrics.held.Inc()
	defer t.metrics.held.Dec()
	release := t.nodes.Hold(ticket)
	defer func() { release(time.Now()) }()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !due {
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-t.closing.Done():
			return
		}
		due, changed = t.nodes.Due(ticket)
	}
}
