package tracker

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/redact"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/leases"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// leasesAfterStart is how long a tracker that has had nodes before leases
// nothing, so that they can say what they hold: one interval, and some time to
// find it.
const leasesAfterStart = registry.Interval + 2*time.Second

// lease answers a node's request for an upstream.
func (t *Tracker) lease(ctx context.Context, now time.Time, r *api.LeaseRequest) (api.LeaseReply, error) {
	if err := r.Validate(); err != nil {
		return api.LeaseReply{}, fmt.Errorf("lease: %w", err)
	}
	content, err := t.leasable(ctx, r)
	if err != nil {
		return api.LeaseReply{}, fmt.Errorf("lease: %w", err)
	}
	if t.free {
		return leases.Unbounded(r, content, rand.Text()), nil
	}
	var limits api.Limits
	if r.Task != "" {
		limits = t.tasks.Limits(r.Task, r.Content)
	}
	reply, err := t.leases.Lease(now, r, content, limits)
	if err != nil {
		return reply, err
	}
	t.metrics.leased(reply)
	if len(r.Excluded) > 0 {
		t.log.Debug("a node has trouble with upstreams", "node", r.Node, "content", r.Content, "upstreams", troubles(r.Excluded))
	}
	return reply, nil
}

// troubles name upstreams and what is wrong with them, without the secrets of their URLs.
func troubles(benched []api.Benched) (out []string) {
	for _, b := range benched {
		out = append(out, redact.URL(b.Upstream)+": "+b.Reason)
	}
	return out
}

// leasable reads what the planner has to know of a content, nil where it knows
// it already. Those who ask for one at the same time share one reading.
func (t *Tracker) leasable(ctx context.Context, r *api.LeaseRequest) (*leases.Content, error) {
	if t.leases.Knows(r.Content) {
		return nil, nil
	}
	if _, ok := t.nodes.Known(r.Node, r.Session); !ok {
		return nil, nil // the planner says so
	}
	answer := t.reading.DoChan(r.Content.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		select {
		case t.uploads <- struct{}{}:
			defer func() { <-t.uploads }()
		case <-ctx.Done():
			return nil, fmt.Errorf("content %s: %w: too many torrents are being read", r.Content.Short(), shoal.ErrUnavailable)
		}
		torrent, err := t.db.Torrent(ctx, r.Content)
		if err != nil {
			return nil, err
		}
		m, err := shoal.DecodeManifest(torrent)
		if err != nil {
			return nil, err
		}
		return leases.NewContent(m), nil
	})
	select {
	case a := <-answer:
		if a.Err != nil {
			return nil, a.Err
		}
		return a.Val.(*leases.Content), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("content %s: %w: %w", r.Content.Short(), shoal.ErrUnavailable, context.Cause(ctx))
	}
}

// returnLease takes a lease back; one that isn't there any more needs nothing.
func (t *Tracker) returnLease(now time.Time, id string, used int64) error {
	if err := api.CheckLeaseID(id); err != nil {
		return fmt.Errorf("return lease: %w", err)
	}
	t.leases.Return(now, id, used)
	return nil
}
