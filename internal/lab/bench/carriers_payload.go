//go:build linux

package main

import (
	"context"
	"slices"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// bookkeeper is a driver whose nodes say where their payload came from.
type bookkeeper interface {
	// books adds up what all nodes have received for the orders given so far, when
	// these are carried out.
	books(ctx context.Context) (api.Bytes, error)
}

// keepBooks puts into the result of a mesh's run what payload crossed, and of a cold start's
// what came twice, where the tool says so.
func (t *trial) keepBooks(ctx context.Context, r *result) error {
	b, ok := t.driver.(bookkeeper)
	if !ok || t.scenario.mesh == nil && !t.scenario.cold {
		return nil
	}
	bytes, err := b.books(ctx)
	if t.scenario.mesh != nil {
		r.CrossPayload = float64(bytes.CrossCarrier+bytes.Upstream) / float64(t.scenario.size)
	}
	r.Wasted = float64(bytes.Wasted) / float64(t.scenario.size)
	return err
}

func (d *shoalDriver) books(ctx context.Context) (sum api.Bytes, err error) {
	d.ordersMu.Lock()
	tasks := slices.Clone(d.tasks)
	d.ordersMu.Unlock()
	for _, id := range tasks {
		var task api.Task
		if err := until(ctx, "wait for the account of task "+id, nil, func(ctx context.Context) (ended bool, err error) {
			task, err = d.client.Task(ctx, id)
			return task.State.Final(), err
		}); err != nil {
			return sum, err
		}
		for _, n := range task.Nodes {
			sum.CrossCarrier += n.Bytes.CrossCarrier
			sum.Upstream += n.Bytes.Upstream
			sum.Wasted += n.Bytes.Wasted
		}
	}
	return sum, nil
}
