//go:build linux

package main

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// shoalDriver runs shoal. A task for each content, created through the tracker's
// API, is the order; the copy appears under its final name when it is complete.
// Nodes are told the rates of their links, as operators do.
type shoalDriver struct {
	*crew
	cluster *cluster.Cluster
	tracker *cluster.Tracker
	client  *tapi.Client
	seeded  []shoal.ContentID // in the order of contents
}

func openShoal(s stage) (driver, error) {
	return &shoalDriver{
		crew:    newCrew(s),
		cluster: cluster.Open(cluster.Config{Binary: s.shoal, Data: s.dir, Logs: s.dir}),
	}, nil
}

func (d *shoalDriver) startOrigin(ctx context.Context, m member) (err error) {
	if d.tracker, err = d.cluster.StartTracker(ctx, d.stage.tracker); err != nil {
		return err
	}
	if d.client, err = tapi.NewClient([]string{d.tracker.URL}, d.stage.tracker.HTTPClient()); err != nil {
		return err
	}
	origin, err := d.startDaemon(ctx, m)
	if err != nil {
		return err
	}
	for _, c := range d.contents {
		s, err := origin.Seed(ctx, c.path)
		if err != nil {
			return err
		}
		d.seeded = append(d.seeded, s.Content)
	}
	return nil
}

func (d *shoalDriver) startNode(ctx context.Context, m member) error {
	if _, err := d.startDaemon(ctx, m); err != nil {
		return err
	}
	return until(ctx, "wait for the tracker to know "+m.name, nil, func(ctx context.Context) (bool, error) {
		nodes, err := d.client.Nodes(ctx)
		return slices.ContainsFunc(nodes, func(n tapi.Node) bool { return n.Name == m.name }), err
	})
}

func (d *shoalDriver) startDaemon(ctx context.Context, m member) (*cluster.Node, error) {
	n, err := d.cluster.StartNode(ctx, m.host, cluster.NodeConfig{
		Name: m.name, Slot: m.slot, Trackers: []string{d.tracker.URL}, Up: m.link.up, Down: m.link.down,
	})
	if err == nil {
		d.add(m, n.Process)
	}
	return n, err
}

func (d *shoalDriver) fetch(ctx context.Context, ms []member) error {
	names := make([]string, len(ms))
	for i, m := range ms {
		names[i] = m.name
	}
	for _, id := range d.seeded {
		if _, err := d.client.CreateTask(ctx, tapi.NewTask{Content: id, Nodes: names}); err != nil {
			return err
		}
	}
	return nil
}

func (d *shoalDriver) output(m member, c content) string {
	return filepath.Join(d.home(m), "files", c.name)
}

func (d *shoalDriver) marker(m member, c content) string { return d.output(m, c) }

func (d *shoalDriver) close() error { return d.cluster.Close() }
